// SPDX-License-Identifier: Apache-2.0

package ffi

import (
	"fmt"
	"syscall"
	"unsafe"
)

// coreSignals are the signals whose default action is to end the process with a
// core dump (signal(7)): those by which a broken library dies. The Go runtime
// keeps all others; it needs SIGURG to preempt goroutines.
var coreSignals = [...]syscall.Signal{
	syscall.SIGQUIT, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGABRT, syscall.SIGBUS,
	syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGXCPU, syscall.SIGXFSZ, syscall.SIGSYS,
}

// sigaction is the kernel's struct sigaction for x86-64
// (arch/x86/include/uapi/asm/signal.h), which differs from glibc's.
type sigaction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

// DefaultSignals restores the default action of the signals of a crash. A crash
// in a library then ends the process by that signal, at once and without a Go
// traceback, and the parent's WaitStatus names it. The main function of a
// worker calls it first, and does not use os/signal for these signals
// afterwards.
//
// From then on a nil dereference in Go code ends the process in the same way,
// instead of panicking.
func DefaultSignals() error {
	var action sigaction // the zero handler is SIG_DFL
	for _, sig := range coreSignals {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig),
			uintptr(unsafe.Pointer(&action)), 0, unsafe.Sizeof(action.mask), 0, 0)
		if errno != 0 {
			return fmt.Errorf("reset %v to its default action: %w", sig, errno)
		}
	}
	return nil
}
