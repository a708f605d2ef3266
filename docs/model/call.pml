/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol between clients, the module in Xen and one server. README.md
 * says which properties are checked, and how.
 *
 * A step is one that the real parts do at once: they load or store one word of
 * a channel, or make a hypercall, which the module executes under its lock.
 *
 * Mutations, which must fail:
 *   BY_PORT   the rule before requests had numbers in the module: LISTEN ends
 *             the call of a port, and one flag says that another request came
 *   NO_TIMER  a client does not end answered calls
 *   EARLY     the server signals before it publishes the answer
 *
 * Options, which allow more behaviour:
 *   LINGER    the server polls a channel for a while: its client does not call
 *   OPENED    Dom0 holds the gate open: LISTEN reports that, and the server
 *             waits for events
 *   MUTE      at some time the server begins to wait for events only
 *   FAR       the deadline of a client that gives nothing up is an hour away
 *   BATCH     a client asks both requests at once, and the first client maybe the
 *             second one while the first is in the channel; it sleeps until the
 *             server signals that all is answered
 */
#ifndef REQUESTS
#define REQUESTS 2 /* of each client: numbers 1 .. REQUESTS */
#endif
#define CLIENTS  2
#define NONE     CLIENTS
#define AT_ONCE  2 /* calls of one reservation in the module */

mtype = { over, queued, running } /* a call */
mtype = { done, given_up }        /* how it ends */

typedef mtypes { mtype r[REQUESTS + 1] }
typedef bytes { byte r[REQUESTS + 1] }
typedef flags { bool r[REQUESTS + 1] }

/* Channels: client c has channel c, port c and reservation c. */
byte asked[CLIENTS];        /* number of the request */
byte answered[CLIENTS];     /* number of the answer */
byte got[CLIENTS];          /* number of the answer that the client has seen */
bool waiting[CLIENTS];      /* the server does not poll: the client calls */
bool wake[CLIENTS];         /* BATCH: the client's event is pending */
bool event[CLIENTS];        /* pending at the server */

/* The module's state of the server's domain. */
mtypes call[CLIENTS];
chan queue = [CLIENTS * AT_ONCE] of { byte, byte };
byte waiters;               /* in the queue */
byte at = NONE, number;     /* the call that is active */
bool told;                  /* the server was told of it */
bool listening;
byte busy = NONE, with;     /* a call given up that the server may serve */
byte found = NONE, which;   /* a request served before it was called */
bool again[CLIENTS];        /* BY_PORT */

/* State for the checks. */
bytes uncounted[CLIENTS];   /* calls made, less those that the module counted */
flags hasty[CLIENTS];       /* the client may give the request up */
byte left = CLIENTS;        /* clients that have not ended */
bool mute;                  /* the server waits for events, and never listens */

#define live(c, n) (call[c].r[n] == queued || call[c].r[n] == running)

/* The module's transitions. */

inline enqueue(c, n)
{
    call[c].r[n] = queued;
    uncounted[c].r[n]--;
    queue!c, n;
    waiters++
}

inline end_call(c, n, how)
{
    assert(how != done || answered[c] >= n); /* no call ends unserved */
    if
    :: call[c].r[n] == running ->
        at = NONE; number = 0; told = false;
        if
        :: how != done && !listening -> busy = c; with = n
        :: else
        fi
    :: else -> queue??eval(c), eval(n); waiters--
    fi;
    call[c].r[n] = over;
#ifdef BY_PORT
    if
    :: how == done && again[c] -> enqueue(c, asked[c])
    :: else
    fi;
    again[c] = false
#endif
}

/* Ends as done, for one port, the calls of request n and of earlier ones. */
inline end_up_to(c, n)
{
    i = 1;
    do
    :: i <= n && live(c, i) -> end_call(c, i, done); i++
    :: i <= n && !live(c, i) -> i++
    :: i > n -> break
    od;
    i = 0
}

/* Begins the next call. A server that does not listen gets an event if tell. */
inline start_next(tell)
{
    do
    :: at == NONE && busy == NONE && waiters > 0 ->
        queue?j, i;
        waiters--;
        if
        :: j == found && i == which ->
            assert(answered[j] >= i);
            found = NONE; which = 0;
            call[j].r[i] = over
        :: else ->
            at = j; number = i; told = false;
            call[j].r[i] = running;
            if
            :: tell && !listening -> event[j] = true
            :: else
            fi;
            break
        fi
    :: else -> break
    od;
    i = 0; j = 0
}

/* The client's hypercalls. */

inline CALL(c, n)
{
    d_step {
#ifdef BY_PORT
        uncounted[c].r[n]++;
        if
        :: at == c -> again[c] = true
        :: at != c && (live(c, 1) || live(c, REQUESTS)) /* it finds this one */
        :: else -> enqueue(c, n)
        fi;
#else
        if
        :: live(c, n) /* it gets a new deadline */
        :: !live(c, n) && found == c && which == n && n > 1 ->
            assert(answered[c] >= n);
            call[c].r[n] = over
        :: else ->
            uncounted[c].r[n]++;
            /* This call stands for the earlier requests, too. */
            i = 1;
            do
#ifdef BATCH
            :: i < n && call[c].r[i] == queued ->
                queue??eval(c), eval(i); waiters--;
                call[c].r[i] = over;
                i++
#else
            :: i < n && call[c].r[i] == queued -> end_call(c, i, done); i++
#endif
            :: i < n && call[c].r[i] != queued -> i++
            :: i >= n -> break
            od;
            enqueue(c, n)
        fi;
        if
        :: found == c -> found = NONE; which = 0
        :: else
        fi;
#endif
        start_next(true)
    }
}

inline CANCEL(c, n)
{
    d_step {
#ifdef BY_PORT
        i = 1; /* any request */
        do
        :: i <= n && live(c, i) -> end_call(c, i, given_up); i++
        :: i <= n && !live(c, i) -> i++
        :: i > n -> break
        od;
#else
        if
        :: live(c, n) -> end_call(c, n, given_up)
        :: else
        fi;
#endif
        start_next(false)
    }
}

inline FINISH(c, n)
{
    d_step {
        end_up_to(c, n);
        if
        :: busy == c && with <= n -> busy = NONE; with = 0
        :: else
        fi;
        start_next(true)
    }
}

/* LISTEN and COMPLETE report the served request. */
inline served(c, n)
{
    busy = NONE; with = 0;
    if
    :: c == NONE
    :: else ->
#ifdef BY_PORT
        if
        :: at == c -> i = number; end_call(c, i, done)
        :: else
        fi;
#else
        if
        :: at == c && number == n -> end_call(c, n, done)
        :: at == c && number < n -> i = number; end_call(c, i, done); found = c; which = n
        :: else -> found = c; which = n
        fi;
#endif
        i = 0
    fi
}

/* LISTEN returns the port of the active call. */
inline hear()
{
    told = true;
    listening = false;
    c = at;
    port = at
}

/* The server ends the served call before it examines the signalled channel. */
inline heard(x)
{
    atomic {
        event[x] ->
        event[x] = false;
        served(port, last[port % CLIENTS]);
        start_next(true);
        port = NONE;
        c = x
    }
}

#ifdef BATCH
proctype client(byte c)
{
    byte n = 1, called, i, j;

    asked[c] = 1;
    if
    :: atomic { n++; asked[c] = n } /* before it signals */
    :: c == 0
    fi;

enter:
    atomic {
        if
        :: hasty[c].r[n] = true
        :: skip
        fi };
    if
    :: atomic { waiting[c] -> CALL(c, n) }
    :: else
    fi;

look:
    if
    :: atomic { answered[c] == n -> hasty[c].r[n] = false; got[c] = n }; goto next
    :: atomic { else -> got[c] = answered[c] }
    fi;
    if /* asleep */
    :: atomic { wake[c] -> wake[c] = false }; goto look
    :: atomic { n < REQUESTS -> hasty[c].r[n] = false; n++; asked[c] = n };
        goto enter /* by another thread, while the batch is in the channel */
    :: atomic { hasty[c].r[n] -> hasty[c].r[n] = false;
        called = 0;
        do
        :: called < n -> called++; CANCEL(c, called)
        :: else -> break
        od }
    fi;

next:
    if
    :: atomic { n < REQUESTS -> n++; asked[c] = n }; goto enter
    :: atomic { n == REQUESTS -> left-- }
    fi
}
#else
proctype client(byte c)
{
    byte n = 1, i, j;
    bool outstanding;

    do
    :: atomic { n <= REQUESTS ->
        if
        :: hasty[c].r[n] = true
        :: skip
        fi };
        /* The answer to an abandoned request comes first, and is charged. */
        do
        :: atomic { outstanding -> hasty[c].r[n - 1] = hasty[c].r[n] };
            if
            :: atomic { answered[c] != n - 1 -> CALL(c, n - 1) }
            :: else
            fi;
            if
            :: atomic { answered[c] == n - 1 ->
                outstanding = false; hasty[c].r[n - 1] = false; got[c] = n - 1 }
            :: atomic { hasty[c].r[n] ->
                CANCEL(c, n - 1);
                hasty[c].r[n] = false } /* the caller tries again */
            fi
        :: else -> break
        od;
        asked[c] = n;
        if
        :: atomic { waiting[c] -> CALL(c, n) }
        :: else
        fi;
        if
        :: atomic { answered[c] == n -> hasty[c].r[n] = false; got[c] = n; n++ }
        :: atomic { hasty[c].r[n] -> CANCEL(c, n); outstanding = true; n++ }
        fi
    :: atomic { n > REQUESTS -> left--; break }
    od
}
#endif

/* The client's timer ends answered calls, in case the server does not. */
proctype timer(byte c)
{
    byte n, i, j;

end:
    do
    :: atomic { got[c] > n -> n = got[c]; FINISH(c, n) }
    od
}

/*
 * The module's timer. The caller chooses the deadline of a call: it may pass if
 * the caller gives requests up, or has its answer.
 */
proctype deadline(byte c; byte n)
{
    byte i, j;

end:
    do
    :: atomic {
#ifdef FAR
        live(c, n) && hasty[c].r[n] ->
#else
        live(c, n) && (hasty[c].r[n] || answered[c] >= n) ->
#endif
        end_call(c, n, given_up);
        start_next(false)
    }
    od
}

proctype server()
{
    byte last[CLIENTS]; /* request taken */
    byte port = NONE; /* of the served request, not yet reported */
    byte c, i, j;
    bool opened;

    goto turn;

look:
    if
    :: atomic { asked[c] != last[c] -> last[c]++; port = c };
#ifdef EARLY
        if
        :: asked[c] == last[c] -> wake[c] = true
        :: else
        fi;
#endif
        atomic { answered[c] = last[c];
#ifdef LINGER
        if
        :: waiting[c] = false
        :: skip
        fi
#endif
        };
#if defined(BATCH) && !defined(EARLY)
        if /* no request of the channel is unanswered */
        :: asked[c] == last[c] -> wake[c] = true
        :: else
        fi;
#endif
#ifdef LINGER
        if
        :: !waiting[c] ->
            if
            :: asked[c] != last[c] -> goto look
            :: waiting[c] = true
            fi
        :: else
        fi;
#endif
        goto look /* a last look before it listens */
    :: else
    fi;

turn:
#ifdef MUTE
    if
    :: mute = true; goto wait
    :: !mute
    fi;
#endif
    if
    :: heard(0) /* sometimes it examines events first */
    :: heard(1)
    :: atomic {
        served(port, last[port % CLIENTS]);
        start_next(false);
        port = NONE;
        if
        :: at != NONE && !told -> hear(); goto look
        :: at != NONE && told -> goto wait
        :: at == NONE -> listening = true
        fi };
        if /* the gate is closed */
        :: atomic { at != NONE -> hear(); goto look }
#ifdef OPENED
        :: atomic { at == NONE && !opened ->
            opened = true; listening = false; goto wait }
#endif
        fi
    fi;
    goto look;

wait:
end:
    if
    :: atomic { event[0] -> event[0] = false; c = 0 }
    :: atomic { event[1] -> event[1] = false; c = 1 }
    fi;
    goto look
}

/* The final state, when nothing can happen any more. */
proctype judge()
{
    byte c, n;

    timeout ->
    /* A server that never reports the end of an abandoned call stays busy. */
    if
    :: mute && busy != NONE
    :: else -> assert(left == 0)       /* no call is lost */
    fi;
    assert(at == NONE);                /* no reservation is charged any more */
    for ( c : 0 .. CLIENTS - 1 ) {
        for ( n : 1 .. REQUESTS ) {
            assert(left || !live(c, n));
            assert(uncounted[c].r[n] == 0)
        }
    }
}

init
{
    byte c, n;

    atomic {
        for ( c : 0 .. CLIENTS - 1 ) {
            waiting[c] = true;
            run client(c);
#if !defined(NO_TIMER) && !defined(BY_PORT)
            run timer(c);
#endif
            for ( n : 1 .. REQUESTS ) {
                call[c].r[n] = over;
                run deadline(c, n)
            }
        };
        run server();
        run judge()
    }
}
