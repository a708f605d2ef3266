// SPDX-License-Identifier: Apache-2.0

// Package signature is the small language in which a caller names the type of
// a C function, and the binary form in which arguments and results travel
// between the caller and the process that makes the call.
//
// It is for both ends: the command in Dom0, and the server and its worker in
// the guest. It makes no call itself and knows no transport. It is not a C
// parser and describes no structs: a struct is a buffer that the caller lays
// out.
//
// # Notation
//
//	signature = return "(" [ argument { "," argument } ] ")"
//
//	return    = void | scalar | str
//	argument  = scalar | str | in | io | out:N | sym | null
//	scalar    = i8 | i16 | i32 | i64 | u8 | u16 | u32 | u64 | bool | f32 | f64
//
// Spaces and tabs may stand between the parts. At most 16 arguments.
//
//	i8…u64   integers of that many bits; size_t and long are u64 and i64,
//	         int is i32
//	bool     C's _Bool
//	f32 f64  float and double
//	str      a string that ends in NUL. As a return type, the string is copied
//	         and NULL is reported as null; the callee's memory is not freed
//	in       pointer to bytes that the callee reads
//	io       pointer to bytes that the callee changes in place; their content
//	         after the call is part of the result
//	out:N    pointer to N zero bytes that the callee fills; their content is
//	         part of the result. N may end in k or m (1024, 1024²)
//	sym      address of another symbol of the same library (or of a library
//	         it depends on), by name: a comparator for qsort, for example
//	null     the NULL pointer; it takes no value
//	void     nothing is returned
//
// Examples: cos is f64(f64), zlib's crc32 is u64(u64,in,u32), libc's qsort
// with strcmp on fixed-width records is void(io,u64,u64,sym), gethostname is
// i32(out:256,u64), strerror is str(i32). A variadic function is called by
// naming the types of this one call, after C's promotions (int and double at
// least): snprintf with one %f is i32(out:64,u64,str,f64).
//
// There is no type for a raw pointer. Caller and callee live in two address
// spaces (in two domains, even): an address of one means nothing in the other
// at best, and at worst is memory of something else. NULL is the one pointer
// that means the same on both sides.
//
// The canonical form, which travels, has no spaces and decimal sizes.
//
// # Encoding, revision 1
//
// All numbers are little-endian. Offsets count from the first byte of the
// message; every unit begins at a multiple of 8 and the bytes between units
// are zero, so a message that begins at an aligned address has aligned
// buffers. A receiver refuses whatever deviates, bytes after the end included.
//
// A request:
//
//	0   u8   revision, 1
//	1   u8   kind, 1
//	2   u16  S, length of the signature, at most 512
//	4   u32  zero
//	8   S bytes, the signature in canonical form, zeros up to a multiple of 8
//	then for each argument in order
//	    scalar   8 bytes: integers sign- or zero-extended, bool 0 or 1, f64
//	             its IEEE 754 bits, f32 its bits and four zero bytes
//	    str sym  u64 L; L bytes without NUL; one to eight zero bytes up to a
//	             multiple of 8. A sym is a C identifier
//	    in io    u64 L; L bytes; zeros up to a multiple of 8
//	    out null nothing
//
// A result:
//
//	0   u8   revision, 1
//	1   u8   kind, 2
//	2   u16  flags: bit 0, errno is known; bit 1, the returned string is NULL
//	4   i32  errno as the callee left it (it was 0 before), or zero
//	8   u64  the return value as a scalar is in a request; void: zero; str: its
//	         length without NUL
//	then for each io and out in order
//	    u64 L, the length that went in or N; L bytes; zeros up to a multiple
//	    of 8
//	then, if a string is returned and is not NULL, its bytes and one to eight
//	zero bytes up to a multiple of 8
//
// The string comes last because it is the only part whose size is not known
// before the call: everything else is laid out first, and the callee fills
// its buffers where the caller will read them.
//
// A call that failed has no result: why it failed travels in the channel, as
// the status of its reply.
//
// Requests, results and the sum of a signature's out buffers are bounded by
// [MaxSize]; the channel in use may well bound them closer.
//
// # Trust
//
// Decoders take hostile bytes: they are bounded, read each length once, and
// return sub-slices of what they were given. When that is memory shared with
// the peer, the content of such a slice can change at any time, and only its
// place and length are settled. Functions that print (package-level [Render],
// [MarshalJSON]) copy first, so that what is checked is what is printed.
package signature
