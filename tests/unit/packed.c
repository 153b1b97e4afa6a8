/* SPDX-License-Identifier: MIT */
/*
 * Packed weights: back and forth without a bit lost, and every number where
 * quant/blocks.h says. What blocks and units hold is read here a second time,
 * byte by byte, from the description of the file format.
 */
#include "pack.h"
#include "test.h"

#include "quant/blocks.h"

enum { MOST_TYPES = 64, MOST_BYTES = PANEL_ROWS * 7 * 210 };

/* All types of the table that are packed. */
static const struct weight_type *packed_types[MOST_TYPES];
static size_t packed_count;

static uint64_t state = 1;

static void fill(unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(test_random(&state) >> 24);
}

static const struct weight_type *named(const char *name)
{
    return loam_weight_type_named(name, strlen(name));
}

static bool is_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

/* ---- back and forth ---------------------------------------------------------- */

static void check_round_trip(const struct weight_type *type, size_t rows, size_t blocks)
{
    static unsigned char file[MOST_BYTES], back[MOST_BYTES];
    static _Alignas(64) unsigned char panel[7 * 3392];
    size_t row_bytes = blocks * type->block_bytes, width = blocks * type->block_elements;
    size_t panel_bytes = (size_t)loam_packed_panel_bytes(type, width);
    size_t unit_blocks = type->packing->unit_elements / type->block_elements;
    REQUIRE(rows * row_bytes <= sizeof file && panel_bytes <= sizeof panel);
    CHECK_EQUAL(panel_bytes, (blocks + unit_blocks - 1) / unit_blocks * type->packing->unit_bytes);
    fill(file, rows * row_bytes);
    memset(panel, 0xA5, sizeof panel); /* what was there before must not matter */
    test_pack(type, panel, file, width, rows);
    for (size_t i = panel_bytes; i < sizeof panel; i++)
        REQUIRE(panel[i] == 0xA5);
    memset(back, 0x5A, sizeof back);
    for (size_t row = 0; row < rows; row++)
        loam_unpack_blocks(type, back + row * row_bytes, panel, row, 0, blocks);
    CHECK(memcmp(back, file, rows * row_bytes) == 0);
    for (size_t i = rows * row_bytes; i < sizeof back; i++)
        REQUIRE(back[i] == 0x5A);
    for (size_t row = rows; row < PANEL_ROWS; row++) {
        loam_unpack_blocks(type, back, panel, row, 0, blocks);
        CHECK(is_zero(back, row_bytes));
    }
    for (size_t first = 0; first < blocks; first++) /* one block alone, and all from it on */
        for (size_t row = 0; row < rows; row += 5) {
            const unsigned char *expected = file + row * row_bytes + first * type->block_bytes;
            loam_unpack_blocks(type, back, panel, row, first, 1);
            CHECK(memcmp(back, expected, type->block_bytes) == 0);
            loam_unpack_blocks(type, back, panel, row, first, blocks - first);
            CHECK(memcmp(back, expected, (blocks - first) * type->block_bytes) == 0);
        }
}

static void any_bits_come_back(void)
{
    for (size_t t = 0; t < packed_count; t++)
        for (size_t rows = 1; rows <= PANEL_ROWS; rows++)
            for (size_t blocks = 1; blocks <= 7; blocks++)
                check_round_trip(packed_types[t], rows, blocks);
}

/* All values of one byte at each place of a block, the rest zero and ones. */
static void each_byte_comes_back(void)
{
    for (size_t t = 0; t < packed_count; t++) {
        const struct weight_type *type = packed_types[t];
        unsigned char block[256], back[256];
        static _Alignas(64) unsigned char panel[3392];
        for (size_t i = 0; i < type->block_bytes; i++)
            for (unsigned value = 0; value < 512; value++) {
                memset(block, value & 256 ? 0xFF : 0, sizeof block);
                block[i] = (unsigned char)value;
                const void *rows[PANEL_ROWS] = {[7] = block};
                loam_pack_panel(type, panel, rows, type->block_elements);
                loam_unpack_blocks(type, back, panel, 7, 0, 1);
                REQUIRE(memcmp(back, block, type->block_bytes) == 0);
            }
    }
}

/* ---- places ------------------------------------------------------------------ */

/* What a block says, of whatever type: raw fields, no arithmetic. */
struct view {
    uint16_t d, dmin;
    uint8_t scales[16], mins[8];
    uint8_t q[256];
};

static uint16_t u16(const unsigned char *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static void file_q8_0(struct view *out, const unsigned char *b)
{
    out->d = u16(b);
    for (int i = 0; i < 32; i++)
        out->q[i] = b[2 + i];
}

static void unit_q8_0(struct view *out, const void *unit, size_t o, size_t b)
{
    const struct unit_q8_0 *u = unit;
    out->d = u->d[b][o];
    for (int i = 0; i < 32; i++)
        out->q[i] = (uint8_t)u->q[b][i / 4][o][i % 4];
}

static void file_q4_0(struct view *out, const unsigned char *b)
{
    out->d = u16(b);
    for (int j = 0; j < 16; j++) {
        out->q[j] = b[2 + j] % 16;
        out->q[j + 16] = b[2 + j] / 16;
    }
}

/* Number i of 32 from a unit's nibbles q[v][o][j]. */
static uint8_t nibble(const uint8_t (*q)[16][4], size_t o, int i)
{
    uint8_t byte = q[i % 16 / 4][o][i % 4];
    return i < 16 ? byte % 16 : byte / 16;
}

static void unit_q4_0(struct view *out, const void *unit, size_t o, size_t b)
{
    const struct unit_q4_0 *u = unit;
    out->d = u->d[b][o];
    for (int i = 0; i < 32; i++)
        out->q[i] = nibble(u->q[b], o, i);
}

/* Q4_K, and Q5_K with its fifth bits. */
static void file_k(struct view *out, const unsigned char *b, const unsigned char *high,
                   const unsigned char *low)
{
    const unsigned char *s = b + 4;
    out->d = u16(b);
    out->dmin = u16(b + 2);
    for (int i = 0; i < 4; i++) {
        out->scales[i] = s[i] % 64;
        out->mins[i] = s[i + 4] % 64;
        out->scales[i + 4] = (uint8_t)(s[i + 8] % 16 + s[i] / 64 * 16);
        out->mins[i + 4] = (uint8_t)(s[i + 8] / 16 + s[i + 4] / 64 * 16);
    }
    for (int i = 0; i < 256; i++) {
        int byte = low[i / 64 * 32 + i % 32];
        out->q[i] = (uint8_t)(i / 32 % 2 ? byte / 16 : byte % 16);
        if (high && high[i % 32] & 1 << i / 32)
            out->q[i] = (uint8_t)(out->q[i] + 16);
    }
}

static void file_q4_k(struct view *out, const unsigned char *b)
{
    file_k(out, b, NULL, b + 16);
}

static void file_q5_k(struct view *out, const unsigned char *b)
{
    file_k(out, b, b + 16, b + 48);
}

static void unit_q4_k(struct view *out, const void *unit, size_t o, size_t b)
{
    const struct unit_q4_k *u = unit;
    (void)b;
    out->d = u->d[o];
    out->dmin = u->dmin[o];
    for (int i = 0; i < 8; i++) {
        out->scales[i] = u->scales[i][o];
        out->mins[i] = u->mins[i / 2][o][i % 2];
    }
    for (int i = 0; i < 256; i++)
        out->q[i] = nibble(u->q[i / 32], o, i % 32);
}

static void unit_q5_k(struct view *out, const void *unit, size_t o, size_t b)
{
    const struct unit_q5_k *u = unit;
    (void)b;
    out->d = u->d[o];
    out->dmin = u->dmin[o];
    for (int i = 0; i < 8; i++) {
        out->scales[i] = u->scales[i][o];
        out->mins[i] = u->mins[i / 2][o][i % 2];
    }
    for (int i = 0; i < 256; i++) {
        int fifth = u->sub_blocks[i / 32].high[o][i % 4] >> i % 32 / 4 & 1;
        out->q[i] = (uint8_t)(nibble(u->sub_blocks[i / 32].q, o, i % 32) + 16 * fifth);
    }
}

static void file_q6_k(struct view *out, const unsigned char *b)
{
    out->d = u16(b + 208);
    for (int i = 0; i < 16; i++)
        out->scales[i] = b[192 + i];
    for (int half = 0; half < 2; half++)
        for (int g = 0; g < 4; g++)
            for (int l = 0; l < 32; l++) {
                int low = b[64 * half + 32 * (g % 2) + l];
                int high = b[128 + 32 * half + l] >> 2 * g & 3;
                low = g < 2 ? low % 16 : low / 16;
                out->q[128 * half + 32 * g + l] = (uint8_t)(low + 16 * high);
            }
}

static void unit_q6_k(struct view *out, const void *unit, size_t o, size_t b)
{
    const struct unit_q6_k *u = unit;
    (void)b;
    out->d = u->d[o];
    for (int i = 0; i < 16; i++)
        out->scales[i] = (uint8_t)u->scales[i / 2][o][i % 2];
    for (int i = 0; i < 256; i++) {
        int pair = i / 32, v = i % 16 / 4;
        int high = u->pairs[pair].high[i % 32 / 16][o][i % 4] >> 2 * v & 3;
        out->q[i] = (uint8_t)(nibble(u->pairs[pair].q, o, i % 32) + 16 * high);
    }
}

static void each_number_is_in_its_place(void)
{
    static const struct {
        const char *name;
        void (*file)(struct view *out, const unsigned char *block);
        void (*unit)(struct view *out, const void *unit, size_t o, size_t b);
    } readers[] = {{"Q8_0", file_q8_0, unit_q8_0},
                   {"Q4_0", file_q4_0, unit_q4_0},
                   {"Q4_K", file_q4_k, unit_q4_k},
                   {"Q5_K", file_q5_k, unit_q5_k},
                   {"Q6_K", file_q6_k, unit_q6_k}};
    static unsigned char file[MOST_BYTES];
    static _Alignas(64) unsigned char panel[7 * 3392];
    enum { BLOCKS = 5 };
    for (size_t t = 0; t < LOAM_COUNT_OF(readers); t++) {
        const struct weight_type *type = named(readers[t].name);
        size_t unit_blocks = type->packing->unit_elements / type->block_elements;
        for (int round = 0; round < 20; round++) {
            fill(file, (size_t)PANEL_ROWS * BLOCKS * type->block_bytes);
            test_pack(type, panel, file, BLOCKS * type->block_elements, PANEL_ROWS);
            for (size_t o = 0; o < PANEL_ROWS; o++)
                for (size_t i = 0; i < BLOCKS; i++) {
                    struct view expected = {0}, found = {0};
                    readers[t].file(&expected, file + (o * BLOCKS + i) * type->block_bytes);
                    readers[t].unit(&found, panel + i / unit_blocks * type->packing->unit_bytes, o,
                                    i % unit_blocks);
                    REQUIRE(memcmp(&expected, &found, sizeof found) == 0);
                }
        }
    }
}

/* Rows that are not there, the second block of a last unit that has one, and
 * what a layout leaves unused. */
static void what_is_not_there_is_zero(void)
{
    static unsigned char file[MOST_BYTES];
    static _Alignas(64) unsigned char panel[7 * 3392];
    fill(file, sizeof file);
    for (size_t t = 0; t < packed_count; t++) {
        const struct weight_type *type = packed_types[t];
        const void *none[PANEL_ROWS] = {NULL}, *all[PANEL_ROWS];
        memset(panel, 0xA5, sizeof panel);
        loam_pack_panel(type, panel, none, 3 * type->block_elements);
        CHECK(is_zero(panel, (size_t)loam_packed_panel_bytes(type, 3 * type->block_elements)));
        static const unsigned char
            zeros[512]; /* whole units of them, with what they leave unused */
        for (size_t i = 0; i < PANEL_ROWS; i++)
            all[i] = zeros;
        memset(panel, 0xA5, sizeof panel);
        loam_pack_panel(type, panel, all, type->packing->unit_elements);
        CHECK(is_zero(panel, type->packing->unit_bytes));
        for (size_t i = 0; i < PANEL_ROWS; i++)
            all[i] = file + i * type->block_bytes;
        memset(panel, 0xA5, sizeof panel);
        loam_pack_panel(type, panel, all, type->block_elements);
        size_t nonzero = 0;
        for (size_t i = 0; i < type->packing->unit_bytes; i++)
            nonzero += panel[i] != 0;
        CHECK(nonzero <=
              (size_t)PANEL_ROWS * (type->block_bytes + 4)); /* 12 bytes of scales are 16 */
    }
    test_pack(named("Q8_0"), panel, file, 32, PANEL_ROWS);
    const struct unit_q8_0 *q8_0 = (const void *)panel;
    CHECK(is_zero((const void *)q8_0->d[1], sizeof q8_0->d[1]) &&
          is_zero((const void *)q8_0->q[1], sizeof q8_0->q[1]));
    test_pack(named("Q4_0"), panel, file, 32, PANEL_ROWS);
    const struct unit_q4_0 *q4_0 = (const void *)panel;
    CHECK(is_zero((const void *)q4_0->d[1], sizeof q4_0->d[1]) &&
          is_zero((const void *)q4_0->q[1], sizeof q4_0->q[1]));
    test_pack(named("Q6_K"), panel, file, 256, PANEL_ROWS);
    CHECK(is_zero((const void *)((const struct unit_q6_k *)(const void *)panel)->unused, 32));
}

/* Panels of a matrix: rows 16 on, sizes, and a short last panel. */
static void matrices_are_panels(void)
{
    for (size_t t = 0; t < packed_count; t++) {
        const struct weight_type *type = packed_types[t];
        size_t width = 2 * (size_t)type->packing->unit_elements + type->block_elements;
        size_t blocks = width / type->block_elements, row_bytes = blocks * type->block_bytes;
        size_t panel_bytes = 3 * (size_t)type->packing->unit_bytes;
        CHECK_EQUAL(loam_packed_panel_bytes(type, width), panel_bytes);
        CHECK_EQUAL(loam_packed_bytes(type, width, 35), 3 * panel_bytes);
        CHECK_EQUAL(loam_packed_bytes(type, width, 32), 2 * panel_bytes);
        CHECK_EQUAL(type->packing->unit_bytes % 64, 0);
        CHECK(type->packing->unit_elements / type->block_elements * type->block_bytes <= 512);
        unsigned char *file = malloc(35 * row_bytes), *back = malloc(row_bytes);
        unsigned char *packed = malloc(3 * panel_bytes);
        REQUIRE(file && back && packed);
        fill(file, 35 * row_bytes);
        test_pack(type, packed, file, width, 35);
        for (size_t row = 0; row < 35; row++) {
            loam_unpack_blocks(type, back, packed + row / 16 * panel_bytes, row % 16, 0, blocks);
            CHECK(memcmp(back, file + row * row_bytes, row_bytes) == 0);
        }
        free(file);
        free(back);
        free(packed);
    }
}

static void all_types_are_here(void)
{
    CHECK(packed_count >= 25);
}

int main(void)
{
    const struct weight_type *type;
    for (size_t i = 0; (type = loam_weight_type_at(i)) != NULL && packed_count < MOST_TYPES; i++)
        if (type->packing)
            packed_types[packed_count++] = type;
    RUN(all_types_are_here);
    RUN(any_bits_come_back);
    RUN(each_byte_comes_back);
    RUN(each_number_is_in_its_place);
    RUN(what_is_not_there_is_zero);
    RUN(matrices_are_panels);
    return test_end();
}
