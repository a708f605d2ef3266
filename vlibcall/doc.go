// SPDX-License-Identifier: Apache-2.0

// Package vlibcall is the call protocol between a client and a vLib OS: a
// channel of shared memory, one event each way, and the rules by which both
// sides use them. docs/channel.md specifies it for other languages.
//
// The client half is [Open], [Channel.Call], [Channel.Go], [Channel.Session]
// and [Channel.Close]: the vLib_init, vLib_call, vLib_async_call and
// vLib_channel_destroy of the vLibOS paper (section 3.1). The server half is
// [Server.Serve], or [Server.Listen] for a loop of one's own (vLib_listen).
//
// The package knows no Xen. Memory and events come through [Endpoint],
// [Dialer] and [Listener]; transport/xen, transport/native and vlibtest
// implement them. It is not for bulk streams (libxenvchan is), and not for
// passing more than one request at a time through one channel: a vLib OS
// serves one call at a time anyway, and whoever wants several requests
// waiting opens several channels.
//
// # Trust
//
// The client trusts nothing that it reads from a channel. Every word the
// server writes is loaded once, checked, and only then used; the output is
// copied out of the channel before the caller sees it. A server in a guest
// trusts its clients as far as the guest trusts Dom0, which owns it, but
// checks lengths all the same.
package vlibcall
