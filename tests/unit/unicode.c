/* SPDX-License-Identifier: MIT */
/* Properties of characters, from the generated tables. */
#include "test.h"

#include "text/unicode.h"

static void categories_of_characters(void)
{
    static const struct {
        uint32_t code_point;
        enum category category;
    } known[] = {{'A', CATEGORY_LU},       {'z', CATEGORY_LL},    {'0', CATEGORY_ND},
                 {'_', CATEGORY_PC},       {'+', CATEGORY_SM},    {'$', CATEGORY_SC},
                 {'^', CATEGORY_SK},       {0, CATEGORY_CC},      {0x1C5, CATEGORY_LT},
                 {0x2B0, CATEGORY_LM},     {0x301, CATEGORY_MN},  {0x903, CATEGORY_MC},
                 {0x20DD, CATEGORY_ME},    {0x2160, CATEGORY_NL}, {0xB2, CATEGORY_NO},
                 {0x2014, CATEGORY_PD},    {0x28, CATEGORY_PS},   {0x29, CATEGORY_PE},
                 {0xAB, CATEGORY_PI},      {0xBB, CATEGORY_PF},   {0x2028, CATEGORY_ZL},
                 {0x2029, CATEGORY_ZP},    {0xA0, CATEGORY_ZS},   {0x200D, CATEGORY_CF},
                 {0xD800, CATEGORY_CS},    {0xE000, CATEGORY_CO}, {0x10FFFD, CATEGORY_CO},
                 {0x10FFFF, CATEGORY_CN},  {0x4E00, CATEGORY_LO}, {0x9FFF, CATEGORY_LO},
                 {0x1F600, CATEGORY_SO},   {0x378, CATEGORY_CN},  {0x110000, CATEGORY_CN},
                 {0xFFFFFFFF, CATEGORY_CN}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        CHECK_EQUAL(loam_unicode_category(known[i].code_point), known[i].category);
    /* White_Space has 25 members. */
    int spaces = 0;
    for (uint32_t c = 0; c <= 0x10FFFF; c++)
        spaces += loam_unicode_is_space(c);
    CHECK_EQUAL(spaces, 25);
}

static void masks_of_categories(void)
{
    CHECK_EQUAL(loam_unicode_category_mask("Lu", 2), 1u << CATEGORY_LU);
    CHECK_EQUAL(loam_unicode_category_mask("Co", 2), 1u << CATEGORY_CO);
    CHECK_EQUAL(loam_unicode_category_mask("N", 1),
                1u << CATEGORY_ND | 1u << CATEGORY_NL | 1u << CATEGORY_NO);
    CHECK_EQUAL(loam_unicode_category_mask("M", 1),
                1u << CATEGORY_MN | 1u << CATEGORY_MC | 1u << CATEGORY_ME);
    CHECK_EQUAL(loam_unicode_category_mask("", 0), 0);
    CHECK_EQUAL(loam_unicode_category_mask("Lx", 2), 0);
    CHECK_EQUAL(loam_unicode_category_mask("uL", 2), 0);
    CHECK_EQUAL(loam_unicode_category_mask("Lul", 3), 0);
}

static void scripts_of_characters(void)
{
    CHECK_EQUAL(loam_unicode_script(0x4E00), SCRIPT_HAN);
    CHECK_EQUAL(loam_unicode_script(0x3005), SCRIPT_HAN);
    CHECK_EQUAL(loam_unicode_script(0x20000), SCRIPT_HAN);
    CHECK_EQUAL(loam_unicode_script(0x3042), SCRIPT_HIRAGANA);
    CHECK_EQUAL(loam_unicode_script(0x30A2), SCRIPT_KATAKANA);
    CHECK_EQUAL(loam_unicode_script(0xAC00), SCRIPT_HANGUL);
    CHECK_EQUAL(loam_unicode_script('a'), SCRIPT_OTHER);
    CHECK_EQUAL(loam_unicode_script(0x3001), SCRIPT_OTHER); /* common */
    CHECK_EQUAL(loam_unicode_script(0x110000), SCRIPT_OTHER);
    CHECK_EQUAL(loam_unicode_script_named("Han", 3), SCRIPT_HAN);
    CHECK_EQUAL(loam_unicode_script_named("Hangul", 6), SCRIPT_HANGUL);
    CHECK_EQUAL(loam_unicode_script_named("Latin", 5), -1);
}

static void lower_case(void)
{
    static const uint32_t known[][2] = {
        {'A', 'a'},       {'Z', 'z'},       {'a', 'a'},         {'@', '@'},          {'[', '['},
        {0xC0, 0xE0},     {0xD7, 0xD7},     {0x100, 0x101},     {0x101, 0x101},      {0x130, 0x69},
        {0x178, 0xFF},    {0x1C4, 0x1C6},   {0x1C5, 0x1C6},     {0x391, 0x3B1},      {0x3A2, 0x3A2},
        {0x410, 0x430},   {0x10A0, 0x2D00}, {0x1E9E, 0xDF},     {0x2126, 0x3C9},     {0x212A, 'k'},
        {0x2160, 0x2170}, {0xFF21, 0xFF41}, {0x10400, 0x10428}, {0x110000, 0x110000}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        CHECK_EQUAL(loam_unicode_lower(known[i][0]), known[i][1]);
    int changed = 0;
    for (uint32_t c = 0; c <= 0x10FFFF; c++)
        changed += loam_unicode_lower(c) != c;
    CHECK_EQUAL(changed, 1433); /* of Unicode 15.0 */
}

static void first_parts(void)
{
    static const uint32_t known[][2] = {
        {'a', 'a'},          {0xE9, 'e'},      {0xD8, 0xD8},      {0x1EA4, 'A'}, /* two accents */
        {0x212B, 'A'},       {0x344, 0x308},   {0xAC00, 0x1100},  {0xD7A3, 0x1112},
        {0xD7A4, 0xD7A4},    {0xF900, 0x8C48}, {0x2F800, 0x4E3D}, {0x1D15E, 0x1D157},
        {0x110000, 0x110000}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        CHECK_EQUAL(loam_unicode_first_part(known[i][0]), known[i][1]);
    for (uint32_t c = 0; c <= 0x10FFFF; c++) /* nothing is left to take apart */
        if (loam_unicode_first_part(loam_unicode_first_part(c)) != loam_unicode_first_part(c))
            CHECK_EQUAL(c, 0);
}

int main(void)
{
    RUN(categories_of_characters);
    RUN(masks_of_categories);
    RUN(scripts_of_characters);
    RUN(lower_case);
    RUN(first_parts);
    return test_end();
}
