/* SPDX-License-Identifier: MIT */
/*
 * Ctrl-C. Signals are blocked in all threads but one, which waits for them
 * and may therefore call anything, loam_session_cancel and locks included.
 */
#include "cli.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static loam_session *watched;
static int happened; /* the signal's number, or 0 */
static int waiting;
static const char *hint;

static void *wait_for_signals(void *context)
{
    sigset_t *set = context;
    for (;;) {
        int number;
        if (sigwait(set, &number) != 0)
            continue;
        pthread_mutex_lock(&mutex);
        if (happened || (waiting && (!hint || number != SIGINT)))
            _exit(EXIT_INTERRUPTED);
        happened = number;
        loam_session_cancel(watched);
        if (waiting)
            fputs(hint, stderr);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

void interrupt_begin(void)
{
    static sigset_t set;
    pthread_t thread;
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of write */
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (pthread_create(&thread, NULL, wait_for_signals, &set) == 0)
        pthread_detach(thread);
    else
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void interrupt_watch(loam_session *session)
{
    pthread_mutex_lock(&mutex);
    watched = session;
    if (session && happened)
        loam_session_cancel(session);
    pthread_mutex_unlock(&mutex);
}

void interrupt_wait(const char *text)
{
    pthread_mutex_lock(&mutex);
    if (happened && (!text || happened != SIGINT))
        _exit(EXIT_INTERRUPTED);
    happened = 0; /* it was for what the program did before */
    waiting = 1;
    hint = text;
    pthread_mutex_unlock(&mutex);
}

void interrupt_wait_no_more(void)
{
    pthread_mutex_lock(&mutex);
    waiting = 0;
    pthread_mutex_unlock(&mutex);
}

int interrupt_take(void)
{
    pthread_mutex_lock(&mutex);
    int number = happened;
    happened = 0;
    pthread_mutex_unlock(&mutex);
    return number;
}

int interrupt_happened(void)
{
    pthread_mutex_lock(&mutex);
    int now = happened;
    pthread_mutex_unlock(&mutex);
    return now;
}
