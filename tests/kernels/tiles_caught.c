/* SPDX-License-Identifier: MIT */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* names of registers in ucontext.h */
#endif
#include "tiles_caught.h"

#if defined(__x86_64__) && defined(__linux__)
#include "tiles_model.h"

#include <signal.h>
#include <string.h>
#include <ucontext.h>

/* A VEX instruction of three bytes' prefix with what its operands say. */
struct instruction {
    unsigned prefix; /* 0: none, 1: 66, 2: F3, 3: F2 */
    unsigned opcode;
    bool memory;
    int reg, rm, vvvv; /* registers; rm not with memory */
    char *base;        /* of memory, displacement included */
    size_t index;      /* scaled */
    size_t length;
};

static struct sigaction before;
static unsigned long caught;

static size_t register_of(const ucontext_t *context, unsigned number)
{
    static const int places[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                   REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                   REG_R12, REG_R13, REG_R14, REG_R15};
    return (size_t)context->uc_mcontext.gregs[places[number]];
}

/* The memory operand at `at`, its first byte ModRM; its length, or 0 for forms that compilers
 * do not use here. */
static size_t decode_memory(struct instruction *out, const ucontext_t *context,
                            const unsigned char *at, bool wide_index, bool wide_base)
{
    unsigned mode = at[0] >> 6, rm = at[0] & 7;
    size_t length = 1, base, displacement = 0;
    if (rm == 4) {
        unsigned index = (at[1] >> 3 & 7) | (wide_index ? 8u : 0u), low = at[1] & 7;
        if (mode == 0 && low == 5)
            return 0;
        out->index = index == 4 ? 0 : register_of(context, index) << (at[1] >> 6);
        base = register_of(context, low | (wide_base ? 8u : 0u));
        length = 2;
    } else {
        if (mode == 0 && rm == 5)
            return 0;
        base = register_of(context, rm | (wide_base ? 8u : 0u));
    }
    if (mode == 1) {
        displacement = (size_t)(ptrdiff_t)(int8_t)at[length];
        length += 1;
    } else if (mode == 2) {
        int32_t value;
        memcpy(&value, at + length, sizeof value);
        displacement = (size_t)(ptrdiff_t)value;
        length += 4;
    }
    out->base = (char *)(base + displacement); /* NOLINT: an address out of a register */
    return length;
}

static bool decode(struct instruction *out, const ucontext_t *context)
{
    const unsigned char *at = (const unsigned char *)context->uc_mcontext.gregs[REG_RIP];
    /* C4, then R X B inverted and map 0F38, then W 0, vvvv inverted, 128 bits, prefix */
    if (at[0] != 0xC4 || (at[1] & 31) != 2 || at[2] & 0x84)
        return false;
    memset(out, 0, sizeof *out);
    out->prefix = at[2] & 3;
    out->vvvv = ~at[2] >> 3 & 15;
    out->opcode = at[3];
    out->reg = at[4] >> 3 & 7;
    out->rm = at[4] & 7;
    out->memory = at[4] >> 6 != 3;
    size_t operand = 1;
    if (out->memory)
        operand = decode_memory(out, context, at + 4, !(at[1] & 0x40), !(at[1] & 0x20));
    out->length = 4 + operand;
    return operand != 0 && at[1] & 0x80; /* R: tiles have three bits */
}

/* By opcode and prefix, as in the manual. */
static bool execute(const struct instruction *i)
{
    if (i->opcode == 0x49 && i->memory && i->prefix == 0 && i->reg == 0) {
        struct tile_configuration configuration;
        memcpy(&configuration, i->base + i->index, sizeof configuration);
        tiles_model_configure(&configuration);
    } else if (i->opcode == 0x49 && !i->memory && i->prefix == 0 && i->reg == 0 && i->rm == 0) {
        tiles_model_release();
    } else if (i->opcode == 0x49 && !i->memory && i->prefix == 3 && i->rm == 0) {
        tiles_model_zero(i->reg);
    } else if (i->opcode == 0x4B && i->memory && i->prefix == 3) {
        tiles_model_load(i->reg, i->base, i->index);
    } else if (i->opcode == 0x4B && i->memory && i->prefix == 2) {
        tiles_model_store(i->reg, i->base, i->index);
    } else if (i->opcode == 0x5E && !i->memory && (i->prefix == 3 || i->prefix == 2)) {
        tiles_model_dot(i->reg, i->rm, i->vvvv, i->prefix == 3);
    } else {
        return false;
    }
    return true;
}

static void on_illegal(int signal, siginfo_t *info, void *given)
{
    ucontext_t *context = given;
    struct instruction instruction;
    (void)info;
    if (!decode(&instruction, context) || !execute(&instruction)) {
        sigaction(signal, &before, NULL); /* not ours: it happens again */
        return;
    }
    caught++;
    context->uc_mcontext.gregs[REG_RIP] += (greg_t)instruction.length;
}

bool tiles_caught_begin(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_illegal;
    action.sa_flags = SA_SIGINFO;
    caught = 0;
    return sigaction(SIGILL, &action, &before) == 0;
}

unsigned long tiles_caught_end(void)
{
    sigaction(SIGILL, &before, NULL);
    return caught;
}

#else

bool tiles_caught_begin(void)
{
    return false;
}

unsigned long tiles_caught_end(void)
{
    return 0;
}

#endif
