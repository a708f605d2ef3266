// SPDX-License-Identifier: Apache-2.0

// Package builtin encodes the functions that every vLib OS server has in
// addition to the libraries of its guest: those of the library "vlib".
//
//	echo      input: anything            output: the input
//	services  input: ignored             output: JSON, see [Info]
//	run       input: see [Command]       output: see [Outcome]
//
// It is for both ends, and for authors of one of them in another language. It
// executes nothing itself.
//
// # Encoding of run, revision 1
//
// Input and output have the same form: a JSON object for small, structured
// data, then bytes unchanged.
//
//	0   u32  H, length of the object, little-endian, at most 1 MiB
//	4   H bytes, the JSON object, UTF-8
//	then the bytes
//
// Input: the bytes are the command's standard input, up to the end. The
// object:
//
//	argv        array of strings, not empty; argv[0] is looked up in the
//	            server's PATH unless it contains a slash
//	env         array of "NAME=VALUE", added to the server's environment
//	timeout_ms  integer; the command is killed then. 0 or absent:
//	            the server's own limit, which holds in any case
//
// A server refuses an object with other members, since it would ignore what
// they ask for. No string contains NUL.
//
// Output: the bytes are what the command wrote to standard output, then what
// it wrote to standard error. The object:
//
//	exit_status       integer, 0 if a signal ended the command
//	signal            integer, the signal that ended it, else absent
//	timed_out         true if that was because its time was over
//	stdout, stderr    integers, the numbers of bytes
//	stdout_truncated  true if the command wrote more than was kept, which is
//	stderr_truncated  the beginning
//
// A client ignores other members. A command that could not be started, for
// example because there is no such program, has no output: the call fails.
package builtin

// The names of the built-in library and of its functions.
const (
	Library  = "vlib"
	Echo     = "echo"
	Services = "services"
	Run      = "run"
)
