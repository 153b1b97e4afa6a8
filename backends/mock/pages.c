/* SPDX-License-Identifier: MIT */
/*
 * Keys and values stay on the device: a page of the host holds the number of
 * a page here. The generation tells a slot that was left in memory from one
 * that is open.
 */
#include "mock/device.h"

_Static_assert(sizeof(struct page_slot) == 64, "pages of a graph are multiples of 64 bytes");

static uint64_t owner_of(const struct mock_program *program)
{
    return (uint64_t)(uintptr_t)program ^ 0x6D6F636B70616765u;
}

/* The open page that a slot names, or NULL. */
static struct page *page_of(struct mock_program *program, const struct page_slot *slot)
{
    if (slot->owner != owner_of(program) || slot->number >= program->table.count)
        return NULL;
    struct page *page = &program->table.pages[slot->number];
    return page->open && page->generation == slot->generation ? page : NULL;
}

static const struct page_slot *slot_of(const struct mock_program *program, const void *host_page)
{
    return (const void *)((const char *)host_page +
                          program->plan->page_offset[program->device->base.index]);
}

/* A number that is free, with room for all pages in `resolved`; NULL without
 * memory. */
static struct page *take_number(struct mock_program *program)
{
    struct page_table *table = &program->table;
    struct memory *memory = program->device->memory;
    for (size_t i = 0; i < table->count; i++)
        if (!table->pages[i].open)
            return &table->pages[i];
    if (!loam_memory_grow(memory, (void **)&table->pages, &table->capacity,
                          (uint64_t)table->count + 1, sizeof *table->pages) ||
        !loam_memory_grow(memory, (void **)&table->resolved, &table->resolved_capacity,
                          (uint64_t)table->count + 1, sizeof *table->resolved))
        return NULL;
    table->pages[table->count] = (struct page){0};
    return &table->pages[table->count++];
}

loam_status loam_mock_page_open(struct program *given, void *part, loam_error *error)
{
    struct mock_program *program = (struct mock_program *)given;
    struct mock_device *device = program->device;
    if (program->page_bytes == 0)
        return LOAM_OK;
    loam_status status = LOAM_OK;
    loam_mock_lock(device, &program->table.lock);
    struct page *page = take_number(program);
    device_address memory = page ? loam_mock_get(device, program->page_bytes) : 0;
    if (memory) {
        *page = (struct page){.memory = memory, .generation = page->generation + 1, .open = true};
        *(struct page_slot *)part =
            (struct page_slot){.owner = owner_of(program),
                               .number = (uint32_t)(page - program->table.pages),
                               .generation = page->generation};
    } else {
        status = loam_fail_memory(error, program->page_bytes);
    }
    loam_mock_unlock(device, &program->table.lock);
    loam_mock_lock(device, &device->lock);
    device->counts.pages_opened += !status;
    loam_mock_unlock(device, &device->lock);
    return status;
}

void loam_mock_page_close(struct program *given, void *part)
{
    struct mock_program *program = (struct mock_program *)given;
    struct mock_device *device = program->device;
    if (program->page_bytes == 0)
        return;
    loam_mock_lock(device, &program->table.lock);
    struct page *page = page_of(program, part);
    if (page) {
        loam_mock_free(device, page->memory, program->page_bytes);
        page->memory = 0;
        page->open = false;
    }
    loam_mock_unlock(device, &program->table.lock);
    loam_mock_lock(device, &device->lock);
    device->counts.pages_closed += page != NULL;
    loam_mock_unlock(device, &device->lock);
}

/* Pages that the sequence's rows see. */
static size_t pages_seen(const loam_step_sequence *sequence)
{
    return ((size_t)sequence->position + sequence->row_count + PAGE - 1) / PAGE;
}

loam_status loam_mock_pages_check(struct mock_program *program, const loam_step_descriptor *step,
                                  loam_error *error)
{
    loam_status status = LOAM_OK;
    if (program->page_bytes == 0)
        return LOAM_OK;
    loam_mock_lock(program->device, &program->table.lock);
    for (uint32_t i = 0; !status && i < step->sequence_count; i++) {
        size_t seen = pages_seen(&step->sequences[i]);
        /* A sequence has no page twice, so it can't see more than there are. */
        bool open = seen <= program->table.count;
        for (size_t k = 0; open && k < seen; k++)
            open = page_of(program, slot_of(program, step->sequences[i].pages[k])) != NULL;
        if (!open)
            status = loam_fail(error, LOAM_INVALID_ARGUMENT,
                               "step: a page of sequence %u is not open", i);
    }
    loam_mock_unlock(program->device, &program->table.lock);
    return status;
}

void *const *loam_mock_pages_enter(struct mock_program *program, const loam_step_sequence *sequence)
{
    loam_lock_take(&program->table.lock);
    for (size_t i = 0; i < pages_seen(sequence); i++)
        program->table.resolved[i] =
            loam_mock_at(page_of(program, slot_of(program, sequence->pages[i]))->memory);
    return program->table.resolved;
}

void loam_mock_pages_leave(struct mock_program *program)
{
    loam_lock_give(&program->table.lock);
}
