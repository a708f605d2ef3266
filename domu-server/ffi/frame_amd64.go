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

// Argument passing of the System V ABI for AMD64 (3.2.3): the first six
// integers and pointers are in DI, SI, DX, CX, R8, R9, the first eight floats
// in X0 to X7, and all others, of either class, on the stack in order. Of 16
// arguments at most 10 are on the stack.
const (
	intRegs    = 6
	floatRegs  = 8
	stackWords = 10

	firstFloat = intRegs
	firstStack = intRegs + floatRegs
	numWords   = intRegs + floatRegs + stackWords
)

// A frame is one call, as invoke in frame_amd64.s reads it. It is on the heap:
// C code writes to it while the goroutine's stack may move.
type frame struct {
	fn            uintptr
	errnoLocation uintptr // glibc's __errno_location
	process       uint64  // the only one that may return from the call
	words         [numWords]uint64
	result        uint64 // AX
	floatResult   uint64 // X0
	errno         uint64

	self [1]uintptr // address of the frame, here to pass it without allocating

	// The memory to which words point. A reference from the frame keeps it from
	// being freed, and, as it is then on the heap, from moving with a growing
	// stack.
	refs    [signature.MaxArgs][]byte
	buffers [signature.MaxArgs]signature.Buffer
}

var frames = sync.Pool{New: func() any {
	f := &frame{process: uint64(os.Getpid())}
	f.self[0] = uintptr(unsafe.Pointer(f))
	return f
}}

// invokeABI0 is the address of invoke, a function with C's calling convention.
var invokeABI0 uintptr

// call runs the function. It blocks an OS thread while the function runs. On
// that thread errno is set to 0 before and read after, with no code of the Go
// runtime in between. A child that the function forks does not return: it ends
// with status 0, without exit handlers.
func (f *frame) call() {
	purego.SyscallN(invokeABI0, f.self[:]...)
	runtime.KeepAlive(f)
}

// keep refers to b until release, and returns its address. An empty b has a
// valid address, too, by which C functions distinguish an empty buffer from
// none.
func (f *frame) keep(arg int, b []byte) uint64 {
	if cap(b) == 0 {
		b = empty[:]
	}
	f.refs[arg] = b
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
}

var empty [1]byte

// release clears the frame and returns it to the pool.
func (f *frame) release() {
	clear(f.words[:])
	clear(f.refs[:])
	clear(f.buffers[:])
	frames.Put(f)
}
