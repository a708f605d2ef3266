// SPDX-License-Identifier: Apache-2.0

package ffi

import (
	"os"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/vlibos/vlibos/vlibcall/signature"
)

// Where the System V ABI for AMD64 (3.2.3) puts arguments: the first six
// integers and pointers in DI, SI, DX, CX, R8, R9, the first eight floats in
// X0 to X7, and what is left over, of either class, on the stack in order. Of
// 16 arguments at most 10 are left over.
const (
	intRegs    = 6
	floatRegs  = 8
	stackWords = 10

	firstFloat = intRegs
	firstStack = intRegs + floatRegs
	numWords   = intRegs + floatRegs + stackWords
)

// A frame is one call as invoke in frame_amd64.s reads it. It is on the heap:
// C code writes to it while the goroutine's stack may not be relied on.
type frame struct {
	fn            uintptr
	errnoLocation uintptr // glibc's __errno_location
	process       uint64  // that may return from the call
	words         [numWords]uint64
	result        uint64 // AX
	floatResult   uint64 // X0
	errno         uint64

	self [1]uintptr // address of the frame, kept here to pass it without allocating

	// What words point to. Memory that the frame refers to is neither freed
	// nor, being on the heap by that, moved with a growing stack.
	kept    [signature.MaxArgs][]byte
	buffers [signature.MaxArgs]signature.Buffer
}

var frames = sync.Pool{New: func() any {
	f := &frame{process: uint64(os.Getpid())}
	f.self[0] = uintptr(unsafe.Pointer(f))
	return f
}}

// invokeABI0 is the address of invoke, a function with C's calling convention.
var invokeABI0 uintptr

// call runs the function. It blocks for as long as that runs, holding an OS
// thread. errno is set to 0 before and read after on that same thread, with
// nothing of the Go runtime in between. A child that the function forks does
// not return: it ends with status 0, without exit handlers.
func (f *frame) call() {
	purego.SyscallN(invokeABI0, f.self[:]...)
	runtime.KeepAlive(f)
}

// keep holds b until release, and returns its address. An empty b has a valid
// one too: C functions tell an empty buffer from none by it.
func (f *frame) keep(arg int, b []byte) uint64 {
	if cap(b) == 0 {
		b = empty[:]
	}
	f.kept[arg] = b
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
}

var empty [1]byte

// release forgets the call and gives the frame back.
func (f *frame) release() {
	clear(f.words[:])
	clear(f.kept[:])
	clear(f.buffers[:])
	frames.Put(f)
}
