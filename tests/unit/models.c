/* SPDX-License-Identifier: MIT */
/*
 * docs/models.md lists what the table of families has:
 *
 *     unit-models            compares
 *     unit-models --write    writes it, after a change of the table
 */
#include "test.h"

#include "arch/arch.h"

static char document[1 << 16];

static void compose(void)
{
    size_t used = 0, count = 0;
    while (loam_arch_family(count))
        count++;
    used += (size_t)snprintf(
        document, sizeof document,
        "# Models\n\n"
        "The %zu architectures of GGUF files that loam runs: what `general.architecture` says, and "
        "the models that say so.\n"
        "This page is written by `unit-models --write` from the table of `lib/arch`, and a test "
        "fails where the two differ.\n"
        "A file of another architecture is refused with an error that names it.\n\n"
        "| architecture | models |\n|---|---|\n",
        count);
    for (size_t i = 0; i < count && used < sizeof document - 512; i++)
        used += (size_t)snprintf(document + used, sizeof document - used, "| `%s` | %s |\n",
                                 loam_arch_family(i)->name, loam_arch_family(i)->models);
}

static const char *path_of_document(void)
{
    static char path[4096];
    const char *source = getenv("LOAM_SOURCE");
    snprintf(path, sizeof path, "%s/docs/models.md", source ? source : ".");
    return path;
}

static void document_is_up_to_date(void)
{
    size_t size;
    char *found = (char *)test_read(path_of_document(), &size);
    REQUIRE(found);
    CHECK(strcmp(found, document) == 0);
    free(found);
}

static void names_are_unique_and_sorted(void)
{
    for (size_t i = 1; loam_arch_family(i); i++)
        CHECK(strcmp(loam_arch_family(i - 1)->name, loam_arch_family(i)->name) < 0);
}

int main(int argc, char **argv)
{
    compose();
    if (argc > 1 && strcmp(argv[1], "--write") == 0) {
        FILE *file = fopen(path_of_document(), "w");
        return !file || fputs(document, file) < 0 || fclose(file) ? 1 : 0;
    }
    RUN(document_is_up_to_date);
    RUN(names_are_unique_and_sorted);
    return test_end();
}
