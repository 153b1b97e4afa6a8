/* SPDX-License-Identifier: MIT */
/* strftime in the C locale. Knows no time zones: %z and %Z are empty, as in
 * Python for a time without one. */
#include "template/native.h"

static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};

/* Days since 1 January 1970. */
static int64_t day_number(int64_t year, int64_t month, int64_t day)
{
    /* Years begin in March, so that the leap day is the last one. */
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

struct moment {
    const struct template_time *time;
    int64_t number;  /* of the day, since 1970 */
    int weekday;     /* from Sunday */
    int day_of_year; /* from 0 */
    int64_t iso_year;
    int iso_week;
};

/* The first day (a Monday) of week 1 of a year, by ISO 8601. */
static int64_t iso_start(int64_t year)
{
    int64_t fourth = day_number(year, 1, 4);
    return fourth - (fourth + 3) % 7; /* day 0 was a Thursday */
}

static struct moment describe(const struct template_time *time)
{
    struct moment moment = {.time = time};
    moment.number = day_number(time->year, time->month, time->day);
    moment.weekday = (int)(((moment.number + 4) % 7 + 7) % 7);
    moment.day_of_year = (int)(moment.number - day_number(time->year, 1, 1));
    moment.iso_year = time->year;
    if (moment.number >= iso_start(time->year + 1))
        moment.iso_year++;
    else if (moment.number < iso_start(time->year))
        moment.iso_year--;
    moment.iso_week = (int)((moment.number - iso_start(moment.iso_year)) / 7) + 1;
    return moment;
}

/* `digits` digits, filled up with `fill`; 0: none. */
static size_t put_number(char *out, int64_t number, int digits, char fill)
{
    size_t length = 0;
    int64_t power = 1;
    for (int i = 1; i < digits || number / power >= 10; i++)
        power *= 10;
    for (bool leading = true; power > 0; power /= 10) {
        int digit = (int)(number / power % 10);
        leading = leading && digit == 0 && power > 1;
        if (!leading || fill)
            out[length++] = (char)(leading ? fill : '0' + digit);
    }
    return length;
}

/* A numeric directive: its value and digits; false: it is none. */
static bool number_of(const struct moment *moment, char directive, int64_t *value, int *digits,
                      char *fill)
{
    const struct template_time *t = moment->time;
    int hour = t->hour % 12 == 0 ? 12 : t->hour % 12;
    const struct {
        char directive, fill;
        int digits;
        int64_t value;
    } numbers[] = {
        {'Y', '0', 1, t->year},
        {'C', '0', 2, t->year / 100},
        {'y', '0', 2, t->year % 100},
        {'m', '0', 2, t->month},
        {'d', '0', 2, t->day},
        {'e', ' ', 2, t->day},
        {'H', '0', 2, t->hour},
        {'k', ' ', 2, t->hour},
        {'I', '0', 2, hour},
        {'l', ' ', 2, hour},
        {'M', '0', 2, t->minute},
        {'S', '0', 2, t->second},
        {'f', '0', 6, 0},
        {'j', '0', 3, moment->day_of_year + 1},
        {'U', '0', 2, (moment->day_of_year + 7 - moment->weekday) / 7},
        {'W', '0', 2, (moment->day_of_year + 7 - (moment->weekday + 6) % 7) / 7},
        {'V', '0', 2, moment->iso_week},
        {'G', '0', 1, moment->iso_year},
        {'g', '0', 2, moment->iso_year % 100},
        {'u', '0', 1, moment->weekday ? moment->weekday : 7},
        {'w', '0', 1, moment->weekday},
        {'s', '0', 1, moment->number * 86400 + t->hour * 3600 + t->minute * 60 + t->second},
    };
    for (size_t i = 0; i < LOAM_COUNT_OF(numbers); i++)
        if (numbers[i].directive == directive) {
            *value = numbers[i].value;
            *digits = numbers[i].digits;
            *fill = numbers[i].fill;
            return true;
        }
    return false;
}

/* Directives that stand for others. */
static const char *composed(char directive)
{
    switch (directive) {
    case 'c':
        return "%a %b %e %H:%M:%S %Y";
    case 'D':
    case 'x':
        return "%m/%d/%y";
    case 'F':
        return "%Y-%m-%d";
    case 'R':
        return "%H:%M";
    case 'r':
        return "%I:%M:%S %p";
    case 'T':
    case 'X':
        return "%H:%M:%S";
    default:
        return NULL;
    }
}

static bool add(struct machine *machine, struct text_builder *builder, const char *bytes,
                size_t length)
{
    return loam_builder_add(machine, builder, bytes, length, false);
}

/* One directive that is not composed; flag: '-' (no filling) or 0. */
static bool simple(struct machine *machine, struct text_builder *builder,
                   const struct moment *moment, char directive, char flag)
{
    const char *day = days[moment->weekday], *month = months[moment->time->month - 1];
    bool morning = moment->time->hour < 12;
    char digits[24], fill;
    int64_t value;
    int count;
    switch (directive) {
    case '%':
        return add(machine, builder, "%", 1);
    case 'n':
        return add(machine, builder, "\n", 1);
    case 't':
        return add(machine, builder, "\t", 1);
    case 'a':
        return add(machine, builder, day, 3);
    case 'A':
        return add(machine, builder, day, strlen(day));
    case 'b':
    case 'h':
        return add(machine, builder, month, 3);
    case 'B':
        return add(machine, builder, month, strlen(month));
    case 'p':
        return add(machine, builder, morning ? "AM" : "PM", 2);
    case 'P':
        return add(machine, builder, morning ? "am" : "pm", 2);
    case 'z':
    case 'Z':
        return true;
    default:
        break;
    }
    if (!number_of(moment, directive, &value, &count, &fill))
        return FAIL(machine, LOAM_UNSUPPORTED, "strftime_now: %%%c is not supported",
                    directive >= ' ' && directive < 127 ? directive : '?');
    if (value < 0)
        return FAIL(machine, LOAM_UNSUPPORTED, "strftime_now: a time before 1970");
    return add(machine, builder, digits, put_number(digits, value, count, flag == '-' ? 0 : fill));
}

static bool directive_of(struct machine *machine, struct text_builder *builder,
                         const struct moment *moment, char directive, char flag)
{
    const char *parts = composed(directive);
    if (!parts)
        return simple(machine, builder, moment, directive, flag);
    for (; *parts; parts++)
        if (!(*parts == '%' ? simple(machine, builder, moment, *++parts, 0)
                            : add(machine, builder, parts, 1)))
            return false;
    return true;
}

bool loam_strftime(struct machine *machine, struct text_builder *builder, const struct text *format,
                   const struct template_time *time)
{
    struct moment moment = describe(time);
    for (size_t at = 0; at < format->length;) {
        size_t found = loam_text_find(format, at, format->length, "%", 1);
        size_t end = found == SIZE_MAX ? format->length : found;
        if (!loam_builder_add_part(machine, builder, format, at, end))
            return false;
        if (found == SIZE_MAX)
            break;
        at = end + 1;
        char flag = at < format->length && format->bytes[at] == '-' ? '-' : 0;
        at += flag != 0;
        if (at == format->length)
            return FAIL(machine, LOAM_UNSUPPORTED, "strftime_now: the format ends behind '%%'");
        if (!directive_of(machine, builder, &moment, format->bytes[at++], flag))
            return false;
    }
    return true;
}
