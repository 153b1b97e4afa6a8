/* SPDX-License-Identifier: MIT */
/*
 * loam: language models inside your own program, on your user's own machine.
 *
 * This header is the whole interface and its documentation; graph.h beside it
 * adds tensors and graphs for those who build models of their own. What stands
 * in neither is not API.
 *
 *   part 1  simple        open a model, give it text, pull text out
 *   part 2  complete      samplers, stops, several sessions in one step,
 *                         memory, files, tokenizers, timings
 *   part 3  experimental  seen only after #define LOAM_EXPERIMENTAL
 *
 * RULES THAT HOLD EVERYWHERE
 *
 * Stability. From version 1.0 on, parts 1 and 2 are frozen: functions stay,
 * structs only grow at their end, enumerators keep their values. Until then
 * they may change with any minor version. Part 3 may change with any version.
 *
 * A good guest. The library never ends the process, prints, reads the
 * environment, installs a signal handler, opens a socket, or keeps global
 * state. 64 KB of stack suffice for every call.
 *
 * Errors. A function that can fail returns a loam_status and takes, last, an
 * optional loam_error of the caller's, which is written on failure only.
 * Unless the function says otherwise, a call that failed changed nothing and
 * its outputs hold NULL or zero.
 *
 * Outputs come first and are named `out`.
 *
 * Structs begin with struct_size, which the caller sets to sizeof the struct.
 * Zero is neutral in every other field: {.struct_size = sizeof s} is a
 * complete set of options, and a NULL options pointer means the same. A struct
 * longer than this library knows is accepted if the unknown bytes are zero and
 * refused with UNSUPPORTED otherwise. Output structs are written to the size that the
 * caller states. Arrays of structs step by the struct_size of their first.
 *
 * Strings are a pointer and a length in bytes, UTF-8, not necessarily ended by
 * NUL. Pass LOAM_NUL_TERMINATED as the length of a string that is. Texts that
 * the library returns have a NUL behind them that is not counted, except
 * those of a loam_file, which lie in the file's own header.
 *
 * Handles. NULL is accepted by every release function and does nothing;
 * elsewhere a NULL handle is INVALID_ARGUMENT.
 *
 * Threads. The comment of each type ends with one of
 *   Thread-safe        any thread, any time;
 *   Thread-compatible  one call at a time on one object, on any thread;
 *                      functions marked "any thread" are the exceptions.
 * Computing calls on one engine, from whichever objects and threads, wait for
 * each other. Cancelling, retaining and releasing never wait. After fork()
 * the child gets FORKED from every computing call and may only release.
 *
 * Effects. Each function's comment ends with a line in brackets: whether it
 * may allocate, may block (on computing, files or other calls), the errors it
 * may return (INVALID_ARGUMENT goes without saying), and "any thread" where a
 * call on a thread-compatible object may be made at any time.
 */
#ifndef LOAM_H
#define LOAM_H

#include <stddef.h>
#include <stdint.h>

/* The one place where the version stands; the build reads it from here. */
#define LOAM_VERSION_MAJOR 0
#define LOAM_VERSION_MINOR 1
#define LOAM_VERSION_PATCH 0

#if defined(LOAM_BUILD_SHARED) && defined(__GNUC__)
#define LOAM_API __attribute__((visibility("default")))
#else
#define LOAM_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ======================================================================== */
/* Part 1: simple                                                           */
/* ======================================================================== */

/* ---- status and errors ------------------------------------------------- */

/* Every status: X(name, value, text). Values never change; new ones are
 * added at the end, so treat an unknown value as a failure. */
#define LOAM_STATUS_MAP(X)                                                     \
    X(OK, 0, "success")                                                        \
    X(INVALID_ARGUMENT, 1, "an argument breaks a rule of the function")        \
    X(MEMORY, 2, "memory could not be had, or the engine's limit was reached") \
    X(IO, 3, "a file could not be opened or read")                             \
    X(FORMAT, 4, "a file or text is damaged or not of the expected format")    \
    X(UNSUPPORTED, 5, "valid, but this version of loam cannot do it")          \
    X(TOO_SMALL, 6, "the caller's buffer is too small; out says what it takes")\
    X(CONTEXT_FULL, 7, "more tokens than the session's context can hold")      \
    X(CANCELLED, 8, "cancelled by the caller")                                 \
    X(NUMERIC, 9, "a computation gave an infinite value or not a number")      \
    X(THREAD, 10, "a thread could not be started")                             \
    X(FORKED, 11, "the engine belongs to the parent of this forked process")   \
    X(BUSY, 12, "the object is in use by another call")                        \
    X(STATE, 13, "the object is not in a state that allows this call")        \
    X(REFUSED, 14, "a template refused its input (raise_exception)")

typedef int32_t loam_status;
enum {
#define LOAM_STATUS_ENUM(name, value, text) LOAM_##name = (value),
    LOAM_STATUS_MAP(LOAM_STATUS_ENUM)
#undef LOAM_STATUS_ENUM
};

/* What went wrong, in a caller-owned struct. Write {.struct_size = sizeof e} and pass &e. */
typedef struct loam_error {
    size_t struct_size;
    loam_status code;
    int32_t reserved;
    char message[496]; /* one line, UTF-8, NUL-terminated; names the file, key, tensor or argument */
} loam_error;

/* The status's name without prefix, such as "FORMAT", or "UNKNOWN"; static.
 * [any thread] */
LOAM_API const char *loam_status_name(loam_status status);

/* One line that says what the status means; static.
 * [any thread] */
LOAM_API const char *loam_status_text(loam_status status);

/* As a length: the string ends at its NUL. */
#define LOAM_NUL_TERMINATED ((size_t)-1)

/* A string inside a struct or an array. */
typedef struct loam_string {
    const char *data; /* UTF-8; may be NULL if length is 0 */
    size_t length;    /* bytes, or LOAM_NUL_TERMINATED */
} loam_string;

/* ---- engine ------------------------------------------------------------ */

/* Worker threads, memory and the log of everything opened with it. One per
 * process is usual; several are independent of each other. Reference-counted:
 * models, tokenizers and files hold their engine.
 * Thread-safe. */
typedef struct loam_engine loam_engine;

typedef struct loam_engine_options loam_engine_options; /* part 2 */

/* Makes an engine. options may be NULL. On success *out is owned by the
 * caller, who releases it; on failure *out is NULL.
 * [may allocate; starts threads; errors: MEMORY, THREAD, UNSUPPORTED] */
LOAM_API loam_status loam_engine_create(loam_engine **out, const loam_engine_options *options,
                                        loam_error *error);

/* Gives up one reference. The last one, of the engine and of all that holds
 * it, stops the threads and returns all memory.
 * [any thread] */
LOAM_API void loam_engine_release(loam_engine *engine);

/* ---- model ------------------------------------------------------------- */

/* Weights and vocabulary of one model file. Immutable; reference-counted:
 * sessions hold their model.
 * Thread-safe. */
typedef struct loam_model loam_model;

typedef struct loam_model_options loam_model_options; /* part 2 */

/* Opens the GGUF file at `path` and reads its weights into memory. The file is
 * read, never mapped, and closed before the call returns. options may be NULL.
 * On success *out is owned by the caller.
 * [may allocate; blocks; errors: MEMORY, IO, FORMAT, UNSUPPORTED, CANCELLED, FORKED] */
LOAM_API loam_status loam_model_open(loam_model **out, loam_engine *engine, const char *path,
                                     size_t path_length, const loam_model_options *options,
                                     loam_error *error);

/* Gives up one reference. [any thread] */
LOAM_API void loam_model_release(loam_model *model);

/* ---- session ----------------------------------------------------------- */

/* One sequence of tokens being read and continued: tokens, their keys and
 * values, and how to choose the next one.
 * Thread-compatible; loam_session_cancel may be called at any time. */
typedef struct loam_session loam_session;

typedef struct loam_session_options loam_session_options; /* part 2 */

/* Makes an empty session of `model`. options may be NULL: a context as long
 * as the model was trained for, taken as it fills; greedy choice; until the
 * model ends its text. On success *out is owned by the caller.
 * [may allocate; errors: MEMORY, UNSUPPORTED] */
LOAM_API loam_status loam_session_create(loam_session **out, loam_model *model,
                                         const loam_session_options *options, loam_error *error);

/* Ends the session and returns its memory. Not while a call on it is running:
 * cancel it first and let that call return.
 * [thread-compatible] */
LOAM_API void loam_session_release(loam_session *session);

/* Sets what the session is to hold before it generates: `text` turned into
 * tokens, with the begin token where the vocabulary asks for one. Text that
 * looks like a control token ("<s>", "<|im_end|>") stays text. What is common
 * with the session's present content is kept and not computed again; the rest
 * of the present content is dropped. Computing starts with loam_session_next.
 * A cancel that came before this call is forgotten.
 * [may allocate; errors: MEMORY, CONTEXT_FULL, STATE (the model has no
 * vocabulary)] */
LOAM_API loam_status loam_session_prompt(loam_session *session, const char *text, size_t text_length,
                                         loam_error *error);

/* What loam_session_next reports. */
enum {
    LOAM_EVENT_PROGRESS = 1, /* part of the prompt was read: `done` of `total` tokens */
    LOAM_EVENT_TOKEN = 2,    /* one more token: `token`, `text`, `position`, log-probabilities */
    LOAM_EVENT_STOP = 3      /* generation ended: `stop_reason`, and text still held back */
};

/* Why a generation ended. */
enum {
    LOAM_STOP_NONE = 0,
    LOAM_STOP_END = 1,          /* the model chose a token that ends its text */
    LOAM_STOP_TOKEN = 2,        /* a stop token of the caller */
    LOAM_STOP_STRING = 3,       /* a stop string of the caller; it is not part of any text */
    LOAM_STOP_LENGTH = 4,       /* max_tokens were generated */
    LOAM_STOP_CONTEXT_FULL = 5, /* the session's context is full */
    LOAM_STOP_CANCELLED = 6,    /* loam_session_cancel */
    LOAM_STOP_ERROR = 7         /* only in loam_step: see `status` */
};

/* A candidate token and the natural logarithm of its probability. */
typedef struct loam_candidate {
    int32_t token;
    float log_probability;
} loam_candidate;

typedef struct loam_event {
    size_t struct_size;
    int32_t type;   /* LOAM_EVENT_... */
    int32_t status; /* loam_status of this session in a loam_step; OK otherwise */
    int32_t token;  /* TOKEN: its id; STOP by END or TOKEN: the id that ended it; else -1 */
    int32_t stop_reason; /* STOP: LOAM_STOP_... */
    /* TOKEN, STOP: bytes that became certain with this event, whole UTF-8
     * characters, invalid bytes replaced by U+FFFD. May be empty: a character
     * may take several tokens, and what could begin a stop string is held
     * back. Lives until the next call on this session. */
    const char *text;
    size_t text_length;
    uint32_t position; /* TOKEN: index of the token in the session's content */
    uint32_t done;     /* PROGRESS: tokens of the content that are computed or were kept */
    uint32_t total;    /* PROGRESS: tokens of the content */
    /* TOKEN, if asked for: log-probability of the chosen token, and of the
     * most likely ones, descending. Of the model's own distribution: before
     * temperature, penalties, bias and cut-offs. Lives as long as text. */
    float log_probability;
    const loam_candidate *candidates;
    size_t candidate_count;
} loam_event;

/* Does the next piece of work and reports it: reads a part of the prompt, or
 * generates one token. Call it until it reports STOP; a call after that is
 * STATE until there is a new prompt. After an error the session holds the
 * tokens it had before the call and may be used again.
 * [may allocate; blocks; errors: MEMORY, NUMERIC, STATE, FORKED] */
LOAM_API loam_status loam_session_next(loam_session *session, loam_event *out, loam_error *error);

/* Asks the session to stop: the running call, or else the next one, returns
 * within milliseconds with a STOP event of reason CANCELLED. The session then
 * holds every token that was reported, or, of a prompt not yet read to its
 * end, the tokens that were computed, and may be used at once.
 * [any thread] */
LOAM_API void loam_session_cancel(loam_session *session);

/* ======================================================================== */
/* Part 2: complete                                                         */
/* ======================================================================== */

/* ---- library ----------------------------------------------------------- */

/* The version of the library in use, as major * 1000000 + minor * 1000 + patch.
 * [any thread] */
LOAM_API uint32_t loam_version(void);

/* The same as text, such as "0.1.0"; static. [any thread] */
LOAM_API const char *loam_version_string(void);

/* Whether the library in use was built with a feature, by name; 1 or 0.
 * Names: "gguf", "threads", "graph", and for each CPU level built in
 * "cpu-NAME", such as "cpu-scalar". An unknown name is 0.
 * [any thread] */
LOAM_API int32_t loam_has_feature(const char *name, size_t name_length);

/* CPU levels: sets of kernels. Every level gives the same bits. */
enum {
    LOAM_CPU_BEST = 0,   /* as an option: the best that machine and library have */
    LOAM_CPU_SCALAR = 1, /* plain C: the definition of every result */
    LOAM_CPU_AVX2 = 2,   /* x86-64 with AVX2, FMA and F16C */
    LOAM_CPU_AVX_VNNI = 3,     /* and the byte products of AVX-VNNI */
    LOAM_CPU_AVX512 = 4,       /* AVX2 and AVX-512 F, BW, DQ, VL, VNNI */
    LOAM_CPU_AMX = 5,          /* AVX-512 and the tiles of AMX with their byte products */
    LOAM_CPU_NEON = 6,         /* AArch64 */
    LOAM_CPU_NEON_DOTPROD = 7, /* and its byte products (Armv8.2) */
    LOAM_CPU_NEON_I8MM = 8,    /* and its byte matrix products (Armv8.6) */
    LOAM_CPU_LEVEL_COUNT       /* not a level; grows */
};

/* The level's name, such as "scalar"; NULL for an unknown level; static.
 * [any thread] */
LOAM_API const char *loam_cpu_level_name(int32_t level);

/* The level of that name, or -1. "best" is LOAM_CPU_BEST. [any thread] */
LOAM_API int32_t loam_cpu_level_from_name(const char *name, size_t name_length);

/* 1 if the library holds this level and this machine can run it, else 0.
 * [any thread] */
LOAM_API int32_t loam_cpu_level_available(int32_t level);

/* ---- engine: what a host may bring ------------------------------------- */

/* The host's memory functions. Both or neither of each pair. `alignment` is a
 * power of two, at most 4096. Blocks given back carry the size and alignment
 * they were asked for. Called from any of the engine's threads, never after
 * the engine is gone. */
typedef struct loam_allocator {
    size_t struct_size;
    void *user;
    void *(*allocate)(void *user, size_t size, size_t alignment); /* NULL: failed */
    void (*release)(void *user, void *block, size_t size, size_t alignment);
    /* For weights, KV pages and scratch; NULL: the pair above. */
    void *(*allocate_large)(void *user, size_t size, size_t alignment);
    void (*release_large)(void *user, void *block, size_t size, size_t alignment);
} loam_allocator;

/* The host's own threads, used instead of workers of the engine. */
typedef struct loam_executor {
    size_t struct_size;
    void *user;
    int32_t threads; /* how many tasks may run at once; at least 1 */
    int32_t reserved;
    /* Calls task(context, i) once for each i in [0, count), on any threads, and
     * returns when all have returned. Tasks do not wait for each other, so
     * running them one after the other is valid. */
    void (*parallel_for)(void *user, int32_t count, void (*task)(void *context, int32_t index),
                         void *context);
} loam_executor;

/* Severity of a log line. */
enum { LOAM_LOG_DEBUG = 1, LOAM_LOG_INFO = 2, LOAM_LOG_WARNING = 3 };

/* Takes one line without a newline, NUL-terminated. Called on the thread of
 * the API call that has something to say. */
typedef void (*loam_log_function)(void *user, int32_t severity, const char *line, size_t length);

struct loam_engine_options {
    size_t struct_size;
    int32_t threads;   /* computing threads, the caller's included; 0: one per CPU this process may use */
    int32_t cpu_level; /* LOAM_CPU_...; a level that is not available is UNSUPPORTED */
    uint64_t memory_limit;           /* bytes the engine may hold at once; 0: no limit */
    const loam_allocator *allocator; /* copied; NULL: malloc */
    const loam_executor *executor;   /* copied; NULL: threads of the engine's own */
    loam_log_function log;           /* NULL: silent */
    void *log_user;
    /* 1: leaves AMX alone; BEST then stands for the next level, and AMX is
     * UNSUPPORTED. 0: where AMX is the level, the engine asks the system for its tile
     * registers (on Linux, arch_prctl(ARCH_REQ_XCOMP_PERM)). That holds for the whole
     * process until it ends: signal frames of threads that have used them grow by 8 KB, and
     * sigaltstack refuses stacks too small for that. Where the system refuses, BEST
     * stands for the next level as well. */
    int32_t no_tiles;
    int32_t reserved;
};

typedef struct loam_engine_info {
    size_t struct_size;
    int32_t threads;   /* computing threads in use */
    int32_t cpu_level; /* the level in use, never BEST */
    uint64_t bytes_held;  /* allocated now, in bytes */
    uint64_t bytes_peak;  /* the most ever held at once */
    uint64_t memory_limit; /* as set; 0: none */
} loam_engine_info;

/* Adds a reference and returns the engine. [any thread] */
LOAM_API loam_engine *loam_engine_retain(loam_engine *engine);

/* Reports on the engine. [any thread] */
LOAM_API loam_status loam_engine_get_info(loam_engine_info *out, loam_engine *engine, loam_error *error);

/* ---- where a file's bytes come from ------------------------------------ */

enum {
    LOAM_SOURCE_PATH = 0,       /* path */
    LOAM_SOURCE_DESCRIPTOR = 1, /* descriptor, offset, size */
    LOAM_SOURCE_MEMORY = 2,     /* data, size */
    LOAM_SOURCE_CALLBACK = 3    /* read, user, size */
};

typedef struct loam_source {
    size_t struct_size;
    int32_t kind;       /* LOAM_SOURCE_... */
    int32_t descriptor; /* an open file that can be read at offsets; stays the caller's, its position unchanged */
    uint64_t offset;    /* DESCRIPTOR: where the model file begins in it */
    uint64_t size;      /* bytes of the model file; DESCRIPTOR: 0 means to the end */
    loam_string path;   /* PATH: the file; otherwise a name for messages, may be empty */
    const void *data;   /* MEMORY: size bytes, read during the call only */
    /* CALLBACK: fills out[size] with the bytes at offset and returns 0, or
     * returns another value on failure. One call at a time, during the call
     * that was given the source only. */
    int32_t (*read)(void *user, uint64_t offset, void *out, size_t size);
    void *user;
} loam_source;

/* ---- model ------------------------------------------------------------- */

/* How keys and values of past tokens are stored. */
enum {
    LOAM_KV_DEFAULT = 0, /* f16 */
    LOAM_KV_F32 = 1,
    LOAM_KV_F16 = 2,
    LOAM_KV_Q8_0 = 3
};

struct loam_model_options {
    size_t struct_size;
    int32_t kv_type;            /* LOAM_KV_... */
    uint32_t max_step_rows;     /* tokens computed in one pass over the weights; 0: 256; at most 4096 */
    uint32_t max_step_sessions; /* sessions in one loam_step; 0: 16; at most 256 */
    uint32_t reserved;
    /* Called on the opening thread, at least every 8 MB read, with bytes done
     * of total. Another return value than 0 cancels the opening. */
    int32_t (*progress)(void *user, uint64_t done, uint64_t total);
    void *progress_user;
};

/* As loam_model_open, from any kind of source. The source and all it points
 * to are used during the call only.
 * [may allocate; blocks; errors: MEMORY, IO, FORMAT, UNSUPPORTED, CANCELLED, FORKED] */
LOAM_API loam_status loam_model_open_source(loam_model **out, loam_engine *engine,
                                            const loam_source *source,
                                            const loam_model_options *options, loam_error *error);

/* Adds a reference and returns the model. [any thread] */
LOAM_API loam_model *loam_model_retain(loam_model *model);

typedef struct loam_model_info {
    size_t struct_size;
    loam_string architecture; /* such as "llama"; lives as long as the model */
    loam_string name;         /* general.name, may be empty; lives as long as the model */
    uint64_t parameters;      /* weights in the file, in numbers */
    uint64_t weight_bytes;    /* bytes of weights in memory */
    uint64_t scratch_bytes;   /* bytes for computing a step */
    uint64_t kv_bytes_per_page; /* bytes of keys and values for LOAM_PAGE_TOKENS tokens of a session */
    uint32_t vocabulary_size; /* tokens the model can give: the length of a row of logits */
    uint32_t context_length;  /* tokens the model was trained for */
    uint32_t embedding_length;
    uint32_t layer_count;
    int32_t kv_type;          /* LOAM_KV_..., never DEFAULT */
    uint32_t max_step_rows;
    uint32_t max_step_sessions;
    uint32_t reserved;
    double load_seconds;      /* time that opening took */
    uint64_t mapped_bytes;    /* bytes of weights that stay in the file, mapped: packed files */
    uint32_t embedding_output; /* numbers of an embedding, if the model gives those; 0: logits */
    int32_t pooling;           /* LOAM_POOLING_... that the file asks for */
    uint64_t state_bytes;      /* bytes of the recurrent state of a session; 0: the model has none */
    uint32_t state_count;      /* states that a session keeps at most, the present one included */
    uint32_t reserved_2;
} loam_model_info;

/* Tokens whose keys and values are kept together. */
#define LOAM_PAGE_TOKENS 64

/* Reports on the model. [any thread] */
LOAM_API loam_status loam_model_get_info(loam_model_info *out, loam_model *model, loam_error *error);

/* How the vectors of a text's tokens become one. */
enum {
    LOAM_POOLING_DEFAULT = 0, /* as the file says */
    LOAM_POOLING_MEAN = 1,
    LOAM_POOLING_FIRST = 2,
    LOAM_POOLING_LAST = 3,
    LOAM_POOLING_TOKENS = 4,  /* they do not: a vector for each token */
    LOAM_POOLING_RANK = 5     /* a score for each label of the file's classifier: how well the text's
                                 second part answers its first; only of models that rank */
};

typedef struct loam_embed_options {
    size_t struct_size;
    int32_t pooling;   /* LOAM_POOLING_... */
    int32_t normalise; /* not 0: vectors are brought to length 1 */
} loam_embed_options;

/* The embedding of tokens[count] by a model that gives embeddings
 * (loam_model_info.embedding_output, n): out[n], or out[count][n] with
 * LOAM_POOLING_TOKENS. Models whose tokens see what follows take at most
 * max_step_rows tokens. A model that ranks (loam_model_info.pooling) gives its
 * scores instead, which are not normalised. options may be NULL.
 * [may allocate; blocks; any thread; errors: MEMORY, UNSUPPORTED, CONTEXT_FULL, NUMERIC, FORKED] */
LOAM_API loam_status loam_model_embed(loam_model *model, const int32_t *tokens, size_t count,
                                      const loam_embed_options *options, float *out,
                                      loam_error *error);

/* The name of the index-th model architecture that this version runs, as
 * general.architecture in files; NULL beyond the last; static. [any thread] */
LOAM_API const char *loam_architecture_name(size_t index);

/* What opening a model and using it will take, in bytes of the engine's
 * memory. */
typedef struct loam_memory_plan {
    size_t struct_size;
    uint64_t weight_bytes;
    uint64_t scratch_bytes;    /* working memory of a step */
    uint64_t kv_bytes;         /* all sessions, their contexts full */
    uint64_t vocabulary_bytes; /* vocabulary and metadata, an upper estimate */
    uint64_t total_bytes;
    uint32_t context_length;   /* the one planned for */
    uint32_t sessions;
    uint64_t mapped_bytes;     /* weights of a packed file: shared and evictable, not counted above */
    uint64_t state_bytes;      /* recurrent states of all sessions, as many as they keep; in the total */
} loam_memory_plan;

/* Says what a load will take, from the file's header alone: no weight is read.
 * context_length 0 is the model's own; sessions 0 is 1.
 * [may allocate; blocks; errors: MEMORY, IO, FORMAT, UNSUPPORTED] */
LOAM_API loam_status loam_model_plan(loam_memory_plan *out, loam_engine *engine,
                                     const loam_source *source, const loam_model_options *options,
                                     uint32_t context_length, uint32_t sessions, loam_error *error);

/* ---- packed files -------------------------------------------------------- */

/* Takes `size` more bytes of a file and returns 0; another value ends the
 * writing with IO. Called on the thread of the API call. */
typedef int32_t (*loam_write_function)(void *user, const void *data, size_t size);

/* Writes the model file `source` in the form that loam's CPU kernels read: a
 * GGUF file with the same keys, its quantised weights rearranged without loss,
 * a few percent larger. Opened from a path or descriptor such a file is mapped
 * instead of read: at once, its memory shared between processes and given
 * back under pressure. The price: if a mapped file is cut short or its disk
 * fails, the process gets SIGBUS; and weights that nobody has touched yet are
 * read from disk when they are first used. Other programs refuse such files,
 * and so does a loam whose layout is another.
 * Takes memory for the largest weight. INVALID_ARGUMENT if it is packed already.
 * [may allocate; blocks; errors: MEMORY, IO, FORMAT, UNSUPPORTED, FORKED] */
LOAM_API loam_status loam_model_pack(loam_engine *engine, const loam_source *source,
                                     loam_write_function write, void *user, loam_error *error);

/* ---- quantising ------------------------------------------------------------ */

/* Tensors whose name contains `pattern` get the weight type `type` ("Q6_K").
 * In a pattern '*' stands for any characters, '^' in front for the name's
 * beginning, '$' behind for its end: "attn_v", "^blk.0.*down", "^output.weight$". */
typedef struct loam_tensor_override {
    loam_string pattern; /* not empty */
    loam_string type;
} loam_tensor_override;

typedef struct loam_quantize_options {
    size_t struct_size;
    loam_string mix; /* which types: a name of loam_mix_name; upper or lower case */
    /* An importance file (loam_model_importance, or of llama.cpp): how much each
     * input column of a matrix counts. NULL: all the same; then mixes of few
     * bits are INVALID_ARGUMENT, since without one they give garbage. */
    const loam_source *importance;
    const loam_tensor_override *overrides; /* [override_count]; the first that fits */
    size_t override_count;
    loam_string output_type;    /* of the output matrix; empty: as the mix says */
    loam_string embedding_type; /* of the token table; empty: as the mix says */
    int32_t keep_output;        /* not 0: the output matrix stays as it is */
    int32_t pure;               /* not 0: the mix's main type for all that is quantised */
    int32_t requantize;         /* not 0: weights that are quantised already are taken as well, with loss */
    int32_t reserved;
    /* Called on the calling thread, at least every 2 MB read, with bytes done
     * of total. Another return value than 0 cancels. */
    int32_t (*progress)(void *user, uint64_t done, uint64_t total);
    void *progress_user;
} loam_quantize_options;

/* What quantising did, or would do. */
typedef struct loam_quantize_info {
    size_t struct_size;
    uint64_t input_bytes, output_bytes; /* of all tensors */
    uint64_t tensors;       /* in the file */
    uint64_t quantized;     /* tensors whose type changed */
    uint64_t requantized;   /* of these, from a type that was quantised already */
    uint64_t fell_back;     /* whose row width did not fit the type they were to have */
    uint64_t unimportant;   /* quantised tensors that the importance file lacks */
    uint64_t file_bytes;    /* of the file written */
} loam_quantize_info;

/* Quantises the model file `source`: a GGUF file with the same keys, matrices
 * in the types that the mix gives them, everything else as it was. Names and choices are
 * llama.cpp's. The bytes are the same whatever threads and machine. The source
 * is read tensor by tensor, in pieces: a model of any size takes some 50 MB of
 * memory and what its header takes. Written front to back; who writes a file
 * gives it its name when this returned OK. `write` NULL only fills *out, which
 * may be NULL otherwise.
 *
 * INVALID_ARGUMENT: an unknown name, an importance file that is needed, a
 * tensor that is quantised already. NUMERIC: a weight that is not finite, or too large for its
 * type. All name the tensor. Other computing on the engine goes on meanwhile.
 * [may allocate; blocks; errors: MEMORY, IO, FORMAT, UNSUPPORTED (split and
 * packed files), NUMERIC, CANCELLED, FORKED] */
LOAM_API loam_status loam_model_quantize(loam_quantize_info *out, loam_engine *engine,
                                         const loam_source *source,
                                         const loam_quantize_options *options,
                                         loam_write_function write, void *user, loam_error *error);

typedef struct loam_importance_options {
    size_t struct_size;
    uint32_t chunk_tokens; /* tokens that are read together, each chunk as a text of its own; 0: 512 */
    uint32_t reserved;
    loam_string dataset;   /* what the text is called, for the file's reader; may be empty */
    /* Called on the calling thread before each step, with tokens done of total.
     * Another return value than 0 cancels. */
    int32_t (*progress)(void *user, uint64_t done, uint64_t total);
    void *progress_user;
} loam_importance_options;

/* Lets `model` read tokens[count], a long text of the kind that it is for, and
 * writes an importance file for loam_model_quantize: for each matrix of its layers
 * the squares of what it was multiplied with, summed by input column, and by expert
 * where there are experts. The file is GGUF in llama.cpp's form (general.type
 * "imatrix"). The text is cut into chunks; what does not fill the last one is
 * left out, unless it is the only one. Where the vocabulary asks for a begin
 * token each chunk's first token is replaced by it. The bytes are the same whatever threads and
 * machine. options may be NULL.
 * [may allocate; blocks; errors: MEMORY, IO, UNSUPPORTED (models that give embeddings),
 * NUMERIC, CANCELLED, FORKED] */
LOAM_API loam_status loam_model_importance(loam_model *model, const int32_t *tokens, size_t count,
                                           const loam_importance_options *options,
                                           loam_write_function write, void *user,
                                           loam_error *error);

/* The name of mix `index` in [0, ...), such as "Q4_K_M"; NULL beyond the last; static.
 * [any thread] */
LOAM_API const char *loam_mix_name(size_t index);

/* ---- session: how to generate ------------------------------------------ */

struct loam_session_options {
    size_t struct_size;
    uint32_t context_length; /* most tokens it may hold; 0: the model's own; may be longer */
    int32_t reserve;         /* not 0: take the memory for the whole context now */
};

/* Added to the logit of one token before anything else; -INFINITY forbids it. */
typedef struct loam_logit_bias {
    int32_t token;
    float bias;
} loam_logit_bias;

/* How tokens are chosen and when to stop. Applied in this order: bias,
 * penalties, temperature, top_k, top_p, min_p, draw. The same options, seed
 * and content give the same tokens, whatever else the engine is doing. */
typedef struct loam_generation_options {
    size_t struct_size;
    float temperature; /* 0: the likeliest token always; else logits are divided by it; finite, >= 0 */
    int32_t top_k;     /* keep the k likeliest; 0: all */
    float top_p;       /* keep the fewest likeliest with at least this share; 0 or 1: all; in [0, 1] */
    float min_p;       /* keep those with this share of the likeliest's probability; 0: all; in [0, 1] */
    uint64_t seed;     /* any value; 0 is a seed as well */
    float repetition_penalty; /* of tokens in the window, positive logits are divided by it, negative multiplied; 0 or 1: none */
    float frequency_penalty;  /* subtracted once for each occurrence in the window */
    float presence_penalty;   /* subtracted if it occurs in the window */
    uint32_t penalty_window;  /* the last n tokens of the content, prompt included; 0: all of it */
    const loam_logit_bias *logit_bias; /* [logit_bias_count]; copied */
    size_t logit_bias_count;
    const int32_t *stop_tokens; /* [stop_token_count]; copied */
    size_t stop_token_count;
    const loam_string *stop_strings; /* [stop_string_count]; copied; none empty */
    size_t stop_string_count;
    uint32_t max_tokens; /* 0: no limit but the context */
    int32_t ignore_end;  /* not 0: the model's end tokens do not stop */
    int32_t log_probability; /* not 0: report the chosen token's log-probability */
    uint32_t candidates;     /* report so many of the likeliest; at most 64 */
    int32_t show_special;    /* not 0: control tokens appear in the text */
    int32_t reserved;
} loam_generation_options;

/* Sets how the session generates, from its next token on. NULL: the defaults.
 * On failure the former setting stays.
 * [may allocate; errors: MEMORY, UNSUPPORTED] */
LOAM_API loam_status loam_session_configure(loam_session *session,
                                            const loam_generation_options *options,
                                            loam_error *error);

/* As loam_session_prompt, from tokens: tokens[count], each in [0,
 * vocabulary_size), count at least 1. They are copied.
 * [may allocate; errors: MEMORY, CONTEXT_FULL] */
LOAM_API loam_status loam_session_prompt_tokens(loam_session *session, const int32_t *tokens,
                                                size_t count, loam_error *error);

/* As loam_session_next on each of sessions[count], in one pass over the
 * weights: out[i] tells what happened to sessions[i]. All are of one model,
 * each at most once, at most max_step_sessions. A session that has stopped
 * must not be among them. What goes wrong with one session is in its event
 * (type STOP, reason ERROR, status) and does not touch the others; the
 * function itself fails only for the step as a whole.
 * [may allocate; blocks; errors: MEMORY, STATE, FORKED] */
LOAM_API loam_status loam_step(loam_event *out, loam_session *const *sessions, size_t count,
                               loam_error *error);

/* Reads tokens[count] after the session's present content and gives the logits
 * of the last `rows` of them: logits[rows][vocabulary_size], row i for the
 * token that follows tokens[count - rows + i]. rows may be 0. Content that is
 * not computed yet is computed first. Does not generate, and ends a generation
 * in progress. On failure the content is as before the call.
 * [may allocate; blocks; errors: MEMORY, CONTEXT_FULL, CANCELLED, NUMERIC, FORKED] */
LOAM_API loam_status loam_session_evaluate(loam_session *session, const int32_t *tokens, size_t count,
                                           float *logits, size_t rows, loam_error *error);

/* Logits after the last computed token: *out is float[*out_count], owned by
 * the session, valid until the next call on it. STATE if there are none.
 * [errors: STATE] */
LOAM_API loam_status loam_session_logits(const float **out, size_t *out_count, loam_session *session,
                                         loam_error *error);

/* The session's content, prompt and generated tokens: *out is int32[*out_count],
 * owned by the session, valid until the next call on it.
 * [no errors but INVALID_ARGUMENT] */
LOAM_API loam_status loam_session_tokens(const int32_t **out, size_t *out_count,
                                         loam_session *session, loam_error *error);

/* Drops all but the first `count` tokens of the content. A prompt or
 * generation in progress ends. What comes next has the bits that it has in a
 * session which never held more. A model with a recurrent state computes some of
 * what is left again, from the last state that was kept.
 * [no errors but INVALID_ARGUMENT: more than there are] */
LOAM_API loam_status loam_session_rewind(loam_session *session, size_t count, loam_error *error);

/* Counted since the last prompt was set. */
typedef struct loam_timings {
    size_t struct_size;
    uint32_t prompt_tokens;    /* tokens of the prompt */
    uint32_t kept_tokens;      /* of these, not computed again */
    uint32_t generated_tokens; /* tokens chosen */
    uint32_t reserved;
    double prompt_seconds;     /* reading the prompt up to the first token's choice */
    double generate_seconds;   /* all tokens after the first */
} loam_timings;

/* Reports the session's timings. */
LOAM_API loam_status loam_session_get_timings(loam_timings *out, loam_session *session,
                                              loam_error *error);

/* ---- tokenizer --------------------------------------------------------- */

/* Text to tokens and back, by the vocabulary of a model file. Immutable;
 * reference-counted.
 * Thread-safe. */
typedef struct loam_tokenizer loam_tokenizer;

/* Opens the vocabulary of a model file, leaving the weights alone. Files that
 * hold nothing but a vocabulary are fine.
 *
 * A tokenizer.json as Hugging Face's tokenizers writes it is fine as well; what
 * the file is, its content tells. It gives the tokens that its own library gives:
 * models of the kinds BPE, Unigram and WordPiece, with what published models have
 * around them (normalizer, pre_tokenizer, post_processor, decoder). Anything
 * else is UNSUPPORTED, by its name, never left out; but for truncation and
 * padding, which are the caller's, and clean-up after decoding, which loses text.
 * Such files do not name their end token: end_token is the one behind a text, if
 * any; tokens that end a generation are known by what they are called.
 * [may allocate; blocks; errors: MEMORY, IO, FORMAT, UNSUPPORTED] */
LOAM_API loam_status loam_tokenizer_open(loam_tokenizer **out, loam_engine *engine,
                                         const loam_source *source, loam_error *error);

/* The model's own tokenizer, as a new reference that the caller releases.
 * [errors: STATE (the model has no vocabulary)] */
LOAM_API loam_status loam_model_tokenizer(loam_tokenizer **out, loam_model *model, loam_error *error);

/* Adds a reference and returns the tokenizer. [any thread] */
LOAM_API loam_tokenizer *loam_tokenizer_retain(loam_tokenizer *tokenizer);

/* Gives up one reference. [any thread] */
LOAM_API void loam_tokenizer_release(loam_tokenizer *tokenizer);

/* Flags of loam_tokenizer_encode. */
enum {
    LOAM_ENCODE_ADD_SPECIAL = 1,  /* add begin, end, separator tokens as the vocabulary says */
    LOAM_ENCODE_PARSE_SPECIAL = 2 /* text of a control token becomes that token: trusted text only */
};

/* Turns text into tokens. Writes at most `capacity` ids to out_tokens (may be
 * NULL if capacity is 0) and the full number to *out_count; if that is more
 * than capacity, TOO_SMALL: ask with capacity 0 to learn the number. What
 * out_tokens holds behind the ids, or after a failure, is undefined.
 * Invalid UTF-8 is accepted. Some vocabularies lack a few bytes: those are
 * left out, as by the tokenizers that these vocabularies were made with;
 * decoding and comparing tells. WordPiece and Unigram vocabularies normalise
 * (case, accents, spaces) as they were made to, and do not give that back.
 * [may allocate; errors: MEMORY, TOO_SMALL] */
LOAM_API loam_status loam_tokenizer_encode(int32_t *out_tokens, size_t capacity, size_t *out_count,
                                           loam_tokenizer *tokenizer, const char *text,
                                           size_t text_length, uint32_t flags, loam_error *error);

/* Counts the tokens that loam_tokenizer_encode gives with the same flags.
 * [may allocate; errors: MEMORY] */
LOAM_API loam_status loam_tokenizer_count_tokens(size_t *out, loam_tokenizer *tokenizer,
                                                 const char *text, size_t text_length,
                                                 uint32_t flags, loam_error *error);

/* What a chunk of a document ends at, the best last. */
enum {
    LOAM_BORDER_TOKEN = 0,     /* inside a word: there was nothing better */
    LOAM_BORDER_WORD = 1,
    LOAM_BORDER_LINE = 2,
    LOAM_BORDER_SENTENCE = 3,
    LOAM_BORDER_PARAGRAPH = 4, /* a blank line inside a block of code or before an indented line */
    LOAM_BORDER_BLOCK = 5,     /* a blank line else; around a fenced block of code; behind a function */
    LOAM_BORDER_END = 6        /* the document's end */
};

/* A stretch of a document: bytes begin to end, without end. */
typedef struct loam_chunk {
    size_t struct_size;
    size_t begin;
    size_t end;
    uint32_t token_count; /* of these bytes encoded alone, by the flags given */
    int32_t border;       /* LOAM_BORDER_...: what it ends at */
} loam_chunk;

typedef struct loam_split_options {
    size_t struct_size;
    uint32_t max_tokens;     /* of a chunk; at least one more than are added around a text */
    uint32_t overlap_tokens; /* at most half of that: how much of the chunk before is repeated */
    uint32_t flags;          /* LOAM_ENCODE_...: how chunks will be encoded */
    uint32_t reserved;
    /* Called for each chunk, in order. Another value than 0 ends the call with
     * CANCELLED. */
    int32_t (*chunk)(void *user, const loam_chunk *chunk);
    void *user;
} loam_split_options;

/* Cuts a document into chunks of at most max_tokens tokens each, for embedding,
 * searching or reading it piece by piece. The chunks cover it in order: each
 * begins where the one before ends, or with an overlap up to overlap_tokens
 * tokens before that, at a line, sentence or word. They end at the best border
 * that is in reach: outside of code blocks and functions before inside, then
 * sentences, lines, words. No character is cut; one that takes more tokens than
 * allowed is a chunk of its own. Invalid UTF-8 is accepted. Time: linear.
 * [may allocate; errors: MEMORY, CANCELLED] */
LOAM_API loam_status loam_tokenizer_split(loam_tokenizer *tokenizer, const char *text,
                                          size_t text_length, const loam_split_options *options,
                                          loam_error *error);

/* Flags of loam_tokenizer_decode. */
enum {
    LOAM_DECODE_SHOW_SPECIAL = 1 /* control tokens appear as their text instead of as nothing */
};

/* Turns tokens[count] into text: the exact bytes, which are not valid UTF-8 if
 * a character is cut. Writes at most `capacity` bytes and the full length to
 * *out_length; if that is more than capacity, TOO_SMALL. The space that some
 * vocabularies put before a text is taken off again.
 * [may allocate; errors: MEMORY, TOO_SMALL] */
LOAM_API loam_status loam_tokenizer_decode(char *out_text, size_t capacity, size_t *out_length,
                                           loam_tokenizer *tokenizer, const int32_t *tokens,
                                           size_t count, uint32_t flags, loam_error *error);

/* What a token is: bits of loam_token_info.flags. */
enum {
    LOAM_TOKEN_CONTROL = 1, /* not text: begin, end, turn marks */
    LOAM_TOKEN_END = 2,     /* ends a generation */
    LOAM_TOKEN_BYTE = 4,    /* stands for one byte */
    LOAM_TOKEN_UNKNOWN = 8, /* stands for what has no token */
    LOAM_TOKEN_USER = 16,   /* added by hand, matched before splitting */
    LOAM_TOKEN_UNUSED = 32
};

typedef struct loam_token_info {
    size_t struct_size;
    loam_string text; /* as in the vocabulary file; lives as long as the tokenizer */
    float score;
    uint32_t flags;   /* LOAM_TOKEN_... */
} loam_token_info;

/* Reports on one token, in [0, token_count). */
LOAM_API loam_status loam_tokenizer_token(loam_token_info *out, loam_tokenizer *tokenizer,
                                          int32_t token, loam_error *error);

typedef struct loam_tokenizer_info {
    size_t struct_size;
    loam_string kind;        /* tokenizer.ggml.model: "llama" (SentencePiece BPE), "t5" (Unigram),
                              * "gpt2" (byte-level BPE), "bert" (WordPiece), "rwkv" */
    loam_string splitter;    /* tokenizer.ggml.pre, may be empty */
    loam_string chat_template; /* tokenizer.chat_template, not looked into; may be empty */
    uint32_t token_count;
    int32_t begin_token;     /* -1: none */
    int32_t end_token;       /* -1: none */
    int32_t adds_begin;      /* 1 if ADD_SPECIAL puts begin_token first */
} loam_tokenizer_info;

/* Reports on the vocabulary; strings live as long as the tokenizer. */
LOAM_API loam_status loam_tokenizer_get_info(loam_tokenizer_info *out, loam_tokenizer *tokenizer,
                                             loam_error *error);

/* ---- chat templates ---------------------------------------------------- */

/* A chat template: text in the language of Jinja, as models publish it, that
 * turns a conversation into a prompt. It behaves as in Hugging Face's
 * transformers (trim_blocks, lstrip_blocks, break and continue, generation
 * blocks, tojson, strftime_now, raise_exception); what is not supported is an
 * error that names line and column. It can neither read nor write anything,
 * and its steps, memory and depth have limits. Immutable; reference-counted.
 * Thread-safe. */
typedef struct loam_template loam_template;

/* Compiles a template.
 * [may allocate; errors: MEMORY, FORMAT, UNSUPPORTED] */
LOAM_API loam_status loam_template_create(loam_template **out, loam_engine *engine, const char *text,
                                          size_t text_length, loam_error *error);

/* Compiles the template of the tokenizer's vocabulary file.
 * [may allocate; errors: MEMORY, FORMAT, UNSUPPORTED, STATE (the file has none)] */
LOAM_API loam_status loam_tokenizer_template(loam_template **out, loam_tokenizer *tokenizer,
                                             loam_error *error);

/* Adds a reference and returns the template. [any thread] */
LOAM_API loam_template *loam_template_retain(loam_template *chat_template);

/* Gives up one reference. [any thread] */
LOAM_API void loam_template_release(loam_template *chat_template);

typedef struct loam_render_options {
    size_t struct_size;
    /* What strftime_now shows: "2026-01-15T09:30:45", in the zone that the user
     * is to see. Empty: a template that asks for the time fails with STATE. */
    loam_string now;
    /* bos_token and eos_token, where the context lacks them; may be NULL. */
    loam_tokenizer *tokenizer;
    /* Names of context variables whose text may hold control tokens, such as
     * "bos_token" when it stands in the context. Never what a user wrote. */
    const loam_string *trusted;
    size_t trusted_count;
    uint64_t max_steps; /* 0: 50 million; each instruction and each item walked over is one */
    uint64_t max_bytes; /* 0: 64 MB; memory taken while rendering */
    uint32_t max_depth; /* 0: 200; macros calling macros */
    uint32_t reserved;
} loam_render_options;

/* What a template made of a context.
 * Thread-safe, but for its release. */
typedef struct loam_rendering loam_rendering;

/* Renders with the variables of `context`, a JSON object: messages, tools,
 * documents, add_generation_prompt and whatever else the template asks for.
 * Keys keep their order; absent is undefined, null is none. On success *out is
 * owned by the caller.
 *
 * When the template itself refuses its input (raise_exception: "roles must
 * alternate"), that is REFUSED, and the message is the template's. Other
 * errors begin with line and column of the template, or of the context.
 * [may allocate; errors: MEMORY, FORMAT, UNSUPPORTED, STATE, REFUSED] */
LOAM_API loam_status loam_template_render(loam_rendering **out, loam_template *chat_template,
                                          const char *context, size_t context_length,
                                          const loam_render_options *options, loam_error *error);

LOAM_API void loam_rendering_release(loam_rendering *rendering);

/* A stretch of bytes of one origin. */
typedef struct loam_text_span {
    size_t offset;
    size_t length;
    int32_t from_data; /* 1: made of strings of the context; 0: the template's own text */
    int32_t reserved;
} loam_text_span;

typedef struct loam_rendering_info {
    size_t struct_size;
    loam_string text; /* lives as long as the rendering, as do the spans */
    /* All of the text, in order. What string operations made of the context's
     * strings is data as well. A message's role counts as the template's own
     * text if it consists of letters, digits, '-' and '_': templates put
     * control tokens together with it. */
    const loam_text_span *spans;
    size_t span_count;
} loam_rendering_info;

/* Reports text and spans. */
LOAM_API loam_status loam_rendering_get_info(loam_rendering_info *out, loam_rendering *rendering,
                                             loam_error *error);

/* Turns a rendering into tokens, as loam_tokenizer_encode does: control tokens
 * are found where all of their text is the template's own, and never in what
 * came from the context. flags: LOAM_ENCODE_ADD_SPECIAL for a template that
 * writes no begin token itself.
 * [may allocate; errors: MEMORY, TOO_SMALL] */
LOAM_API loam_status loam_tokenizer_encode_rendering(int32_t *out_tokens, size_t capacity,
                                                     size_t *out_count, loam_tokenizer *tokenizer,
                                                     loam_rendering *rendering, uint32_t flags,
                                                     loam_error *error);

/* ---- chat ---------------------------------------------------------------- */

/* A conversation, as JSON in the form that chat APIs and published templates
 * share, and how it is to be written down. */
typedef struct loam_chat {
    size_t struct_size;
    /* An array of objects with "role", "content" and whatever else the template
     * knows, such as "tool_calls", "tool_call_id", "name". Given to the template
     * as it is: some want a call's arguments as an object, some as a string. */
    loam_string messages;
    loam_string tools;     /* an array of tools; empty: tools is none, as in transformers */
    loam_string variables; /* an object: more variables, such as {"enable_thinking": false} */
    /* NULL: the one of the vocabulary file, which may have another for tools
     * (tokenizer.chat_template.tool_use). */
    loam_template *chat_template;
    const loam_render_options *render; /* NULL: the defaults; its tokenizer is set if it is NULL */
    /* 0: an answer is to follow (add_generation_prompt is true); else the
     * conversation is written down as it stands. */
    int32_t no_answer;
    int32_t reserved;
} loam_chat;

/* Turns a conversation into the tokens that its model was trained to see, as
 * loam_tokenizer_encode_rendering does. Where the vocabulary asks for a begin
 * token and the template writes none, it is put in front. Errors in the JSON
 * name messages, tools or variables, line and column; REFUSED carries the
 * message of the template itself.
 * [may allocate; errors: MEMORY, TOO_SMALL, FORMAT, UNSUPPORTED, REFUSED, STATE
 * (there is no template, or it asks for the time and render.now is empty)] */
LOAM_API loam_status loam_tokenizer_encode_chat(int32_t *out_tokens, size_t capacity,
                                                size_t *out_count, loam_tokenizer *tokenizer,
                                                const loam_chat *chat, loam_error *error);

/* How many tokens a conversation takes.
 * [may allocate; errors: MEMORY, FORMAT, UNSUPPORTED, REFUSED, STATE] */
LOAM_API loam_status loam_tokenizer_count_chat(size_t *out_count, loam_tokenizer *tokenizer,
                                               const loam_chat *chat, loam_error *error);

/* Makes a conversation the session's prompt. As with every prompt, tokens that
 * the session holds already are kept: another turn of the same conversation
 * costs its new tokens (loam_timings: prompt_tokens, kept_tokens). The tokens
 * depend on the conversation alone, never on what the session held.
 * [may allocate; errors: MEMORY, CONTEXT_FULL, FORMAT, UNSUPPORTED, REFUSED, STATE] */
LOAM_API loam_status loam_session_chat(loam_session *session, const loam_chat *chat,
                                       loam_error *error);

/* ---- filling in ------------------------------------------------------------ */

/* Where text for a gap ends, besides where the model ends it. */
enum {
    LOAM_FILL_TO_END = 0,   /* nowhere else */
    LOAM_FILL_TO_LINE = 1,  /* before the end of the line */
    LOAM_FILL_TO_BLOCK = 2  /* before a line that is indented less than the line of the gap, or,
                             * where that is not indented, before an empty line */
};

/* A file that goes with the one that has the gap. */
typedef struct loam_fill_in_file {
    loam_string path;
    loam_string text;
} loam_fill_in_file;

/* A gap in a text, and what is around it. */
typedef struct loam_fill_in {
    size_t struct_size;
    loam_string prefix; /* before the gap */
    loam_string suffix; /* behind it */
    loam_string path;   /* of the file with the gap, as seen from its project; may be empty */
    loam_string repository; /* name of the project; may be empty */
    /* Other files of the project, the most useful one first; they stand in the
     * prompt in this order. */
    const loam_fill_in_file *files;
    size_t file_count;
    /* Most tokens of the prompt; 0: no limit, and three quarters of the context
     * in a session. The prefix loses what is far from the gap, and so does the
     * suffix, in whole lines; files get what is left over. */
    uint32_t max_tokens;
    int32_t until; /* LOAM_FILL_TO_..., for loam_fill_in_end */
} loam_fill_in;

/* What became of it. */
typedef struct loam_fill_in_info {
    size_t struct_size;
    size_t token_count;  /* of the prompt */
    size_t prefix_bytes; /* the last so many bytes of the prefix are in the prompt */
    size_t suffix_bytes; /* the first so many bytes of the suffix */
    size_t file_count;   /* the first so many files; the last of them may be cut */
    size_t file_bytes;   /* so many bytes of that last one */
} loam_fill_in_info;

/* Makes the prompt for filling a gap, in the order and with the tokens that
 * the vocabulary's family was trained with. Text of control tokens in the
 * files stays text. info may be NULL.
 * [may allocate; errors: MEMORY, TOO_SMALL, UNSUPPORTED (the vocabulary has no
 * tokens for this), CONTEXT_FULL (max_tokens holds not even the marks)] */
LOAM_API loam_status loam_tokenizer_encode_fill_in(int32_t *out_tokens, size_t capacity,
                                                   size_t *out_count, loam_fill_in_info *info,
                                                   loam_tokenizer *tokenizer,
                                                   const loam_fill_in *fill_in, loam_error *error);

/* Makes it the session's prompt. Until the next prompt every control token
 * ends the generation, since it would begin another part. info may be NULL.
 * [may allocate; errors: MEMORY, CONTEXT_FULL, UNSUPPORTED, STATE (the model has
 * no vocabulary)] */
LOAM_API loam_status loam_session_fill_in(loam_session *session, loam_fill_in_info *info,
                                          const loam_fill_in *fill_in, loam_error *error);

/* How much of what was generated so far belongs into the gap, by
 * fill_in->until: text[0, *out_length). *out_ended is 1 if it ends there
 * whatever follows; else more may, and what is behind *out_length (white space
 * of a line that has not shown its indentation) is undecided, or belongs to
 * the gap if nothing follows.
 * [no errors but INVALID_ARGUMENT] */
LOAM_API loam_status loam_fill_in_end(size_t *out_length, int32_t *out_ended,
                                      const loam_fill_in *fill_in, const char *text,
                                      size_t text_length, loam_error *error);

/* The tokens of a vocabulary for filling in; -1: it has none of that kind. */
typedef struct loam_fill_in_tokens {
    size_t struct_size;
    loam_string family; /* whose format it is, such as "qwen" or "starcoder2"; static */
    int32_t prefix, suffix, middle;
    int32_t pad;
    int32_t repository; /* stands before the name of a project */
    int32_t separator;  /* stands before a file */
    int32_t end;        /* ends what is filled in, besides the end of a text */
    int32_t suffix_first; /* 1: the suffix stands before the prefix */
} loam_fill_in_tokens;

/* Reports them.
 * [errors: UNSUPPORTED (the vocabulary has none)] */
LOAM_API loam_status loam_tokenizer_get_fill_in(loam_fill_in_tokens *out, loam_tokenizer *tokenizer,
                                                loam_error *error);

/* ---- files ------------------------------------------------------------- */

/* The header of a GGUF file: metadata and the list of its tensors. Immutable.
 * Thread-safe, but for its release. */
typedef struct loam_file loam_file;

/* Reads the header of a model file, of any architecture.
 * [may allocate; blocks; errors: MEMORY, IO, FORMAT, UNSUPPORTED] */
LOAM_API loam_status loam_file_open(loam_file **out, loam_engine *engine, const loam_source *source,
                                    loam_error *error);

LOAM_API void loam_file_release(loam_file *file);

/* Types of metadata values. Arrays have the type of their elements and
 * is_array set. */
enum {
    LOAM_VALUE_UNSIGNED = 1, /* unsigned integers of all widths, as uint64 */
    LOAM_VALUE_SIGNED = 2,   /* signed integers of all widths, as int64 */
    LOAM_VALUE_FLOAT = 3,    /* f32 and f64, as double */
    LOAM_VALUE_BOOL = 4,
    LOAM_VALUE_STRING = 5,
    LOAM_VALUE_ARRAY = 6     /* elements that are arrays themselves; not reachable */
};

typedef struct loam_metadata {
    size_t struct_size;
    loam_string key; /* lives as long as the file */
    int32_t type;    /* LOAM_VALUE_... */
    int32_t is_array;
    uint64_t count;  /* elements of an array, else 1 */
} loam_metadata;

typedef struct loam_value {
    size_t struct_size;
    int32_t type; /* LOAM_VALUE_...: which of the following is set */
    int32_t boolean;
    uint64_t unsigned_integer;
    int64_t signed_integer;
    double number;
    loam_string string; /* lives as long as the file */
} loam_value;

typedef struct loam_tensor_info {
    size_t struct_size;
    loam_string name;      /* lives as long as the file */
    loam_string type_name; /* such as "Q4_K"; static */
    uint32_t type;         /* the number of the type in the file */
    uint32_t dimension_count; /* 1 to 4 */
    uint64_t dimensions[4];   /* as in the file: the contiguous one first; 1 beyond dimension_count */
    uint64_t bytes;
    uint64_t offset;       /* in the file */
} loam_tensor_info;

typedef struct loam_file_info {
    size_t struct_size;
    uint32_t version;        /* of GGUF */
    uint32_t alignment;
    uint64_t metadata_count;
    uint64_t tensor_count;
    uint64_t file_bytes;
    uint64_t tensor_bytes;   /* sum over all tensors */
    uint64_t parameters;     /* sum over all tensors, in numbers */
} loam_file_info;

LOAM_API loam_status loam_file_get_info(loam_file_info *out, loam_file *file, loam_error *error);

/* Metadata entry `index` in [0, metadata_count), in the file's order. */
LOAM_API loam_status loam_file_metadata(loam_metadata *out, loam_file *file, uint64_t index,
                                        loam_error *error);

/* Element `element` of metadata entry `index`: 0 for what is no array. */
LOAM_API loam_status loam_file_value(loam_value *out, loam_file *file, uint64_t index,
                                     uint64_t element, loam_error *error);

/* Finds a key: *out_index is its index, or metadata_count if it is absent. */
LOAM_API loam_status loam_file_find(uint64_t *out_index, loam_file *file, const char *key,
                                    size_t key_length, loam_error *error);

/* Tensor `index` in [0, tensor_count), in the file's order. */
LOAM_API loam_status loam_file_tensor(loam_tensor_info *out, loam_file *file, uint64_t index,
                                      loam_error *error);

#ifdef __cplusplus
}
#endif

/* ======================================================================== */
/* Part 3: experimental                                                     */
/* ======================================================================== */

#ifdef LOAM_EXPERIMENTAL
#include <loam/graph.h>
#endif

#endif
