// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"sync/atomic"
	"unsafe"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

// A message of 64 bytes is in two cache lines; the words that the peer polls
// are in the first. A poll moves the first line away from the writer, which
// then waits for it. So the writer touches it last, and briefly.

const cacheLine = 64

// secondLine is where in Inline the second line of a request or reply begins.
const secondLine = cacheLine - int(unsafe.Offsetof(transport.Request{}.Inline))

// copyFar copies the part of src that lies behind dst's first cache line, and
// returns how much of src is left to copy. It is for data that fits into the
// header page: larger data is not polled.
func copyFar(dst, src []byte) (near int) {
	near = cacheLine - int(uintptr(unsafe.Pointer(unsafe.SliceData(dst)))%cacheLine)
	if len(src) <= near || len(src) > transport.InlineSize {
		return len(src)
	}
	copy(dst[near:], src[near:])
	return near
}

// plainStore stores without the fence of an atomic store, which waits until the
// line has arrived. The next atomic store publishes the word: amd64 does not
// reorder stores, and the Go memory model orders it before that.
func plainStore(word *atomic.Uint64, v uint64) {
	*(*uint64)(unsafe.Pointer(word)) = v
}
