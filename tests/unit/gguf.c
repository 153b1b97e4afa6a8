/* SPDX-License-Identifier: MIT */
/* Headers of model files: every kind of value, every check, hostile counts. */
#include "test.h"

#include "format/gguf.h"
#include "tools/tiny_model.h"

static unsigned char bytes[1 << 20];
static struct tiny_file file;
static struct memory memory;
static loam_error error = {.struct_size = sizeof error};

/* Begins a file of that many tensors and keys. */
static void begin(uint32_t version, uint64_t tensors, uint64_t keys)
{
    file = (struct tiny_file){.bytes = bytes, .capacity = sizeof bytes};
    tiny_put(&file, "GGUF", 4);
    tiny_put_u32(&file, version);
    tiny_put_u64(&file, tensors);
    tiny_put_u64(&file, keys);
}

static loam_status read_bytes(struct gguf *gguf, const void *data, size_t size)
{
    loam_source given = {.struct_size = sizeof given,
                         .kind = LOAM_SOURCE_MEMORY,
                         .data = data,
                         .size = size,
                         .path = {"test.gguf", LOAM_NUL_TERMINATED}};
    struct source source;
    error.message[0] = 0;
    CHECK_EQUAL(loam_source_open(&source, &given, &error), LOAM_OK);
    return loam_gguf_read(gguf, &source, &memory, &error);
}

/* The file as it stands fails with that status, naming the word, and leaves
 * nothing behind. */
static void refused(loam_status status, const char *word)
{
    struct gguf gguf;
    loam_status found = read_bytes(&gguf, bytes, file.size);
    if (found != status || !strstr(error.message, word) || !strstr(error.message, "test.gguf")) {
        printf("# %s: \"%s\" should name \"%s\"\n", loam_status_name(found), error.message, word);
        test_failed_here++;
    }
    if (!found)
        loam_gguf_end(&gguf);
    CHECK_EQUAL(atomic_load(&memory.held), 0);
}

static void every_value_type_is_read(void)
{
    static const uint8_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    for (uint32_t version = 2; version <= 3; version++) {
        struct gguf gguf;
        char key[16];
        begin(version, 0, 11);
        for (uint32_t type = 0; type < GGUF_TYPES; type++) {
            if (sizes[type] == 0)
                continue;
            snprintf(key, sizeof key, "key.%u", type);
            tiny_key(&file, key, TINY_ARRAY);
            tiny_put_u32(&file, type);
            tiny_put_u64(&file, 2);
            tiny_put(&file, "\1\0\0\0\0\0\0\0\1\1\1\1\1\1\1\1", 2u * sizes[type]);
        }
        REQUIRE(read_bytes(&gguf, bytes, file.size) == LOAM_OK);
        CHECK_EQUAL(gguf.entry_count, 11);
        CHECK_EQUAL(gguf.version, version);
        const struct gguf_entry *entry = loam_gguf_find(&gguf, "key.10");
        REQUIRE(entry && entry->is_array && entry->count == 2);
        CHECK(loam_gguf_unsigned(entry, 0) == 1 &&
              loam_gguf_unsigned(entry, 1) == 0x0101010101010101u);
        CHECK(loam_gguf_signed(loam_gguf_find(&gguf, "key.1"), 0) == 1);
        CHECK(!loam_gguf_find(&gguf, "key.8") && !loam_gguf_find(&gguf, ""));
        loam_gguf_end(&gguf);
    }
    CHECK_EQUAL(atomic_load(&memory.held), 0);
}

static void getters_check_types(void)
{
    struct gguf gguf;
    uint32_t u32 = 7, fallback = 9;
    float f32 = 0;
    bool truth = false;
    struct gguf_string text;
    begin(3, 0, 4);
    tiny_key(&file, "signed", TINY_I32);
    tiny_put_u32(&file, (uint32_t)-5);
    tiny_key(&file, "number", TINY_F32);
    tiny_put_f32(&file, 1.5f);
    tiny_key(&file, "truth", TINY_BOOL);
    tiny_put(&file, "\1", 1);
    tiny_key_text(&file, "text", "loam");
    REQUIRE(read_bytes(&gguf, bytes, file.size) == LOAM_OK);
    CHECK_EQUAL(loam_gguf_get_u32(&u32, &gguf, "signed", NULL, &error), LOAM_FORMAT);
    CHECK(strstr(error.message, "signed") && strstr(error.message, "-5"));
    CHECK_EQUAL(loam_gguf_get_u32(&u32, &gguf, "absent", NULL, &error), LOAM_FORMAT);
    CHECK(strstr(error.message, "absent is missing"));
    CHECK(loam_gguf_get_u32(&u32, &gguf, "absent", &fallback, &error) == LOAM_OK && u32 == 9);
    CHECK_EQUAL(loam_gguf_get_u32(&u32, &gguf, "text", &fallback, &error), LOAM_FORMAT);
    CHECK(strstr(error.message, "is string, expected an unsigned integer"));
    CHECK(loam_gguf_get_f32(&f32, &gguf, "number", NULL, &error) == LOAM_OK && f32 == 1.5f);
    CHECK_EQUAL(loam_gguf_get_f32(&f32, &gguf, "truth", NULL, &error), LOAM_FORMAT);
    CHECK(loam_gguf_get_bool(&truth, &gguf, "truth", NULL, &error) == LOAM_OK && truth);
    CHECK(loam_gguf_get_string(&text, &gguf, "text", NULL, &error) == LOAM_OK && text.length == 4);
    loam_gguf_end(&gguf);
}

/* Each kind of number through each getter, at its ends. */
static void numbers_of_every_type(void)
{
    static const struct {
        uint32_t type, size;
        uint64_t bits;
        double value; /* what it is as a number */
        bool fits;    /* into 32 bits without a sign */
    } cases[] = {
        {GGUF_U8, 1, 0xFF, 255, true},
        {GGUF_I8, 1, 0x80, -128, false},
        {GGUF_I8, 1, 0x7F, 127, true},
        {GGUF_U16, 2, 0xFFFF, 65535, true},
        {GGUF_I16, 2, 0x8000, -32768, false},
        {GGUF_U32, 4, 0xFFFFFFFF, 4294967295.0, true},
        {GGUF_I32, 4, 0x80000000, -2147483648.0, false},
        {GGUF_U64, 8, 0x100000000, 4294967296.0, false},
        {GGUF_U64, 8, 7, 7, true},
        {GGUF_I64, 8, UINT64_MAX, -1, false},
        {GGUF_I64, 8, 0x7FFFFFFF, 2147483647.0, true},
        {GGUF_F32, 4, 0xBFC00000, -1.5, false},
        {GGUF_F64, 8, 0x3FD0000000000000, 0.25, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gguf gguf;
        uint32_t u32 = 0;
        float f32 = 0;
        bool truth;
        struct gguf_string text;
        bool real = cases[i].type == GGUF_F32 || cases[i].type == GGUF_F64;
        begin(3, 0, 1);
        tiny_key(&file, "key", cases[i].type);
        tiny_put(&file, &cases[i].bits, cases[i].size);
        REQUIRE(read_bytes(&gguf, bytes, file.size) == LOAM_OK);
        const struct gguf_entry *entry = loam_gguf_find(&gguf, "key");
        REQUIRE(entry);
        CHECK(loam_gguf_number(entry, 0) == cases[i].value);
        CHECK_EQUAL(loam_gguf_signed(entry, 0), real ? 0 : (int64_t)cases[i].value);
        CHECK_EQUAL(loam_gguf_unsigned(entry, 0), real ? 0 : (uint64_t)(int64_t)cases[i].value);
        CHECK_EQUAL(loam_gguf_get_u32(&u32, &gguf, "key", NULL, &error),
                    cases[i].fits ? LOAM_OK : LOAM_FORMAT);
        CHECK_EQUAL(u32, cases[i].fits ? (uint32_t)cases[i].value : 0);
        CHECK_EQUAL(loam_gguf_get_f32(&f32, &gguf, "key", NULL, &error), LOAM_OK);
        CHECK(f32 == (float)cases[i].value);
        CHECK_EQUAL(loam_gguf_get_bool(&truth, &gguf, "key", NULL, &error), LOAM_FORMAT);
        CHECK_EQUAL(loam_gguf_get_string(&text, &gguf, "key", NULL, &error), LOAM_FORMAT);
        loam_gguf_end(&gguf);
    }
}

/* What is missing and has a fallback is the fallback, else an error. */
static void missing_keys(void)
{
    struct gguf gguf;
    const float three = 3;
    const bool yes = true;
    const struct gguf_string word = {"word", 4};
    float f32 = 0;
    bool truth = false;
    struct gguf_string text = {NULL, 0};
    const struct gguf_entry *entry;
    begin(3, 0, 1);
    tiny_key(&file, "key", TINY_U32);
    tiny_put_u32(&file, 1);
    REQUIRE(read_bytes(&gguf, bytes, file.size) == LOAM_OK);
    CHECK(loam_gguf_get_f32(&f32, &gguf, "absent", &three, &error) == LOAM_OK && f32 == 3);
    CHECK(loam_gguf_get_bool(&truth, &gguf, "absent", &yes, &error) == LOAM_OK && truth);
    CHECK(loam_gguf_get_string(&text, &gguf, "absent", &word, &error) == LOAM_OK &&
          text.length == 4);
    CHECK_EQUAL(loam_gguf_get_f32(&f32, &gguf, "absent", NULL, &error), LOAM_FORMAT);
    CHECK_EQUAL(loam_gguf_get_bool(&truth, &gguf, "absent", NULL, &error), LOAM_FORMAT);
    CHECK_EQUAL(loam_gguf_get_string(&text, &gguf, "absent", NULL, &error), LOAM_FORMAT);
    CHECK_EQUAL(loam_gguf_get_array(&entry, &gguf, "absent", GGUF_U32, true, &error), LOAM_FORMAT);
    CHECK(strstr(error.message, "absent is missing"));
    CHECK(loam_gguf_get_array(&entry, &gguf, "absent", GGUF_U32, false, &error) == LOAM_OK &&
          !entry);
    CHECK_EQUAL(loam_gguf_get_array(&entry, &gguf, "key", GGUF_U32, true, &error), LOAM_FORMAT);
    loam_gguf_end(&gguf);
}

static void other_files_are_recognised(void)
{
    static const char *const texts[][2] = {{"PK\3\4", "ZIP"},
                                           {"12345678{\"a", "safetensors"},
                                           {"version https://git-lfs", "Git LFS"},
                                           {"<!DOCTYPE html>", "web page"}};
    for (size_t i = 0; i < LOAM_COUNT_OF(texts); i++) {
        memset(bytes, 0, 64);
        strcpy((char *)bytes, texts[i][0]);
        file.size = 64;
        refused(LOAM_FORMAT, texts[i][1]);
    }
    begin(1, 0, 0);
    refused(LOAM_UNSUPPORTED, "version");
    begin(0x03000000, 0, 0);
    refused(LOAM_UNSUPPORTED, "big-endian");
}

static void one_key(const char *key, uint32_t type)
{
    begin(3, 0, 1);
    tiny_key(&file, key, type);
}

static void bad_values_are_refused(void)
{
    one_key("a.type", 13);
    tiny_put_u64(&file, 0);
    refused(LOAM_FORMAT, "a.type");
    one_key("a.bool", TINY_BOOL);
    tiny_put(&file, "\2", 1);
    refused(LOAM_FORMAT, "a.bool");
    one_key("a.long", TINY_STRING);
    tiny_put_u64(&file, UINT64_MAX);
    refused(LOAM_FORMAT, "a.long");
    one_key("a.nest", TINY_ARRAY);
    tiny_put_u32(&file, TINY_ARRAY);
    tiny_put_u64(&file, 1);
    refused(LOAM_UNSUPPORTED, "a.nest");
    one_key("a.big", TINY_ARRAY);
    tiny_put_u32(&file, 10);
    tiny_put_u64(&file, (uint64_t)1 << 61);
    refused(LOAM_FORMAT, "a.big");
    one_key("a.texts", TINY_ARRAY);
    tiny_put_u32(&file, TINY_STRING);
    tiny_put_u64(&file, (uint64_t)1 << 61);
    refused(LOAM_FORMAT, "a.texts");
    one_key("\xFF\xFE", TINY_U32);
    tiny_put_u32(&file, 1);
    refused(LOAM_FORMAT, "UTF-8");
    begin(3, 0, 2);
    tiny_key_u32(&file, "twice", 1);
    tiny_key_u32(&file, "twice", 2);
    refused(LOAM_FORMAT, "twice");
    begin(3, 0, (uint64_t)1 << 60);
    refused(LOAM_FORMAT, "keys");
    begin(3, (uint64_t)1 << 60, 0);
    refused(LOAM_FORMAT, "tensors");
}

/* One tensor "t" of a type, its two dimensions and offset, and `data` bytes. */
static void one_tensor(uint32_t type, uint64_t width, uint64_t rows, uint64_t offset, size_t data)
{
    begin(3, 1, 0);
    tiny_put_text(&file, "t");
    tiny_put_u32(&file, 2);
    tiny_put_u64(&file, width);
    tiny_put_u64(&file, rows);
    tiny_put_u32(&file, type);
    tiny_put_u64(&file, offset);
    tiny_pad(&file);
    for (size_t i = 0; i < data; i++)
        tiny_put(&file, "", 1);
}

static void bad_tensors_are_refused(void)
{
    struct gguf gguf;
    one_tensor(0, 8, 2, 0, 64);
    CHECK_EQUAL(read_bytes(&gguf, bytes, file.size), LOAM_OK);
    CHECK(loam_gguf_find_tensor(&gguf, "t") && loam_gguf_find_tensor(&gguf, "t")->bytes == 64);
    loam_gguf_end(&gguf);
    one_tensor(0, 8, 2, 0, 63);
    refused(LOAM_FORMAT, "t:");
    one_tensor(0, 0, 2, 0, 64);
    refused(LOAM_FORMAT, "dimension");
    one_tensor(0, (uint64_t)1 << 62, 4, 0, 64);
    refused(LOAM_FORMAT, "product");
    one_tensor(0, 8, 1, 8, 64);
    refused(LOAM_FORMAT, "alignment");
    one_tensor(0, 8, 1, UINT64_MAX - 31, 64);
    refused(LOAM_FORMAT, "t:");
    one_tensor(2, 16, 1, 0, 64);
    refused(LOAM_FORMAT, "Q4_0");
    one_tensor(999, 8, 1, 0, 64);
    refused(LOAM_UNSUPPORTED, "999");
    begin(3, 1, 0);
    tiny_put_text(&file, "t");
    tiny_put_u32(&file, UINT32_MAX);
    tiny_put_u64(&file, 1);
    tiny_put_u64(&file, 1);
    tiny_put_u64(&file, 1);
    refused(LOAM_FORMAT, "1 to 4 dimensions");
    for (uint32_t alignment = 0; alignment <= 48; alignment += 48) {
        begin(3, 0, 1);
        tiny_key_u32(&file, "general.alignment", alignment);
        refused(LOAM_FORMAT, "general.alignment");
    }
}

/* A file cut anywhere fails, and takes no more memory than a whole one. */
static void every_truncation_fails(void)
{
    size_t size;
    unsigned char *model = tiny_model(&size);
    struct gguf gguf;
    CHECK_EQUAL(read_bytes(&gguf, model, size), LOAM_OK);
    uint64_t peak = atomic_load(&memory.peak);
    loam_gguf_end(&gguf);
    for (size_t cut = 0; cut < size; cut += cut < 12000 ? 7 : 997)
        CHECK(read_bytes(&gguf, model, cut) != LOAM_OK);
    CHECK_EQUAL(atomic_load(&memory.held), 0);
    CHECK(atomic_load(&memory.peak) <= peak);
    free(model);
}

/* Twenty thousand keys, each found again. */
static void many_names_are_found(void)
{
    begin(3, 0, 20000);
    for (uint32_t i = 0; i < 20000; i++) {
        char key[32];
        snprintf(key, sizeof key, "%c%c%u", (char)('a' + i % 2), (char)('a' + i % 3), i);
        tiny_key_u32(&file, key, i);
    }
    struct gguf gguf;
    CHECK_EQUAL(read_bytes(&gguf, bytes, file.size), LOAM_OK);
    CHECK(loam_gguf_find(&gguf, "ab19999") || loam_gguf_find(&gguf, "bb19999"));
    loam_gguf_end(&gguf);
}

int main(void)
{
    loam_memory_init(&memory, NULL, 0);
    RUN(every_value_type_is_read);
    RUN(getters_check_types);
    RUN(numbers_of_every_type);
    RUN(missing_keys);
    RUN(other_files_are_recognised);
    RUN(bad_values_are_refused);
    RUN(bad_tensors_are_refused);
    RUN(every_truncation_fails);
    RUN(many_names_are_found);
    return test_end();
}
