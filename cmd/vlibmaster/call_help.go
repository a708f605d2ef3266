// SPDX-License-Identifier: Apache-2.0

package main

const callDescription = `Calls FUNCTION of LIBRARY in DOMAIN once, and prints what it returned.
Flags may stand anywhere before "--". What looks like a negative number is an
argument; any other argument that begins with a dash goes behind "--".

FUNCTIONS OF SHARED LIBRARIES need a signature, RETURN(ARG,ARG,…):

   i8 i16 i32 i64   integers; C's int is i32, long is i64
   u8 u16 u32 u64   unsigned integers; size_t is u64
   f32 f64 bool     float, double, _Bool
   str              string that ends in NUL
   in               pointer to bytes that the function reads
   io               pointer to bytes that it changes in place
   out:N            pointer to N zero bytes that it fills (N may end in k or m)
   sym              address of another function of the library, by name
   null             the NULL pointer
   void             as a return type: nothing

One ARG for each type but out and null. Integers are decimal or 0x…, or len:N
for the size of argument N (from 1). Bytes for in and io are @FILE, @- (standard
input), hex:00ff…, text:… or the word itself. An errno that is not 0, and what
io and out arguments hold afterwards, is printed below the return value, as text
if it can be printed, else in hexadecimal; --out saves it whole.

   vlibmaster call 1 libm.so.6 cos --sig 'f64(f64)' -0.5
   vlibmaster call 1 libz.so.1 crc32 --sig 'u64(u64,in,u32)' 0 @file len:2
   vlibmaster call 1 libc.so.6 qsort --sig 'void(io,u64,u64,sym)' --out sorted @records 1000 16 strcmp
   vlibmaster call 1 libc.so.6 gethostname --sig 'i32(out:64,u64)' len:1
   vlibmaster call 1 libc.so.6 abs --sig 'i32(i32)' --repeat 10000 --wait block -7

FUNCTIONS OF THE SERVER ITSELF take and give bytes, and no --sig. One ARG may be
@FILE, @- or - (standard input), hex:… or text:…; several are joined by spaces.
The output goes to standard output as it is (to a terminal: without control
characters).

   vlibmaster call 1 vlib echo hello
   vlibmaster call 1 vlib echo - <request >answer

RUNNING A COMMAND in the guest, as its server's user: the function run of the
library vlib. Its output and errors come back when it has ended.

   vlibmaster call 1 vlib run -- ls -l /
   vlibmaster call 1 vlib run --stdin --env LC_ALL=C -- sort <words

--json prints one object: domain, port, library, function, wall_ns (this call),
open_ns, channel_size; with --sig also signature, value, errno, buffers; for run
exit_status, signal, timed_out, stdout, stderr; else output. With --repeat also
calls, calls_per_second, latency_ns. A failure has error: code, kind, message.
With --receipt also receipt: wall_ns, and cost (null if no reservation paid): queued_ns,
foreground_ns, background_ns, throttled_ns, deschedules, occupied_bytes, moved_bytes (each null if
the host does not count it).

Where a vlibmaster serves, and this user may write its --run-dir, the call is
counted for 'vlibmaster top' and its metrics.

--host and --native-dir: see vlibmaster --help.

`
