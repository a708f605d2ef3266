// SPDX-License-Identifier: Apache-2.0

// Package vlibcall is how programs call a vLib OS and how a vLib OS serves them:
// a channel of shared memory, one event each way, and the rules by which both
// sides use them. docs/reference/channel.md specifies it for other languages. A program that
// calls a domain by its name imports package vlibos, which opens channels.
//
// A client uses [Open], [Channel.Call], [Channel.Go], [Channel.Batch],
// [Channel.Session] and [Channel.Close]: the vLib_init, vLib_call, vLib_async_call
// and vLib_channel_destroy of the vLibOS paper (section 3.1). A server uses
// [NewServer], [Server.Handle] and [Server.Serve], or [Server.Listen] for a loop
// of its own (vLib_listen).
//
// A channel has up to sixteen requests in flight ([Options].InFlight). A call, a batch
// and a session are the same there: requests in slots, which the server answers. Further
// requests wait on the client's side.
//
// The package knows no Xen: package vlibcall/transport says what carries a
// channel. It is not for bulk streams (libxenvchan is).
//
// # Trust
//
// The client trusts nothing that it reads from a channel, and reads nothing there that
// it knows itself: both sides write a slot. Every word that the server writes is loaded
// once, checked, and only then used; the output is copied out of the channel before the
// caller sees it. A server in a guest trusts its
// clients as far as the guest trusts Dom0, which owns it, but checks lengths all
// the same.
package vlibcall
