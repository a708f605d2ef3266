// SPDX-License-Identifier: Apache-2.0

package lidar

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/bench/corunner"
)

// logSize is the size in bytes of the paper's memory that a logger would save.
const logSize = 4 << 20

// answerSize is the size in bytes of the task's answer: nanoseconds, way, turn.
const answerSize = 16

// Task is the measured process. It reads scans from standard input, as the
// device sends them, and writes an answer to each. It measures the time from the
// receipt of a scan to the decision.
//
// It avoids the Go runtime: it has one thread, makes system calls of which the
// runtime is not told, and collects no garbage.
func Task() error {
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	log := make([]byte, logSize)
	for i := 0; i < len(log); i += os.Getpagesize() {
		log[i] = 1
	}
	if err := corunner.Realtime(); err != nil {
		return err
	}
	var (
		text   [ScanSize]byte
		answer [answerSize]byte
		scan   Scan
		logged int
	)
	for {
		n, err := transfer(unix.SYS_READ, 0, text[:])
		if n == 0 && err == nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a scan: %w", err)
		}
		begin := time.Now()
		if err := scan.Decode(text[:]); err != nil {
			return err
		}
		d := Decide(&scan)
		if logged+ScanSize > len(log) {
			logged = 0
		}
		logged += copy(log[logged:], text[:])
		took := time.Since(begin)
		binary.LittleEndian.PutUint64(answer[0:], uint64(took))
		binary.LittleEndian.PutUint32(answer[8:], uint32(d.Way))
		binary.LittleEndian.PutUint32(answer[12:], uint32(d.Turn))
		if _, err := transfer(unix.SYS_WRITE, 1, answer[:]); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
}

// transfer reads or writes all of p. It returns 0 without an error at the end of
// the input.
func transfer(call, fd uintptr, p []byte) (int, error) {
	for done := 0; done < len(p); {
		n, _, errno := unix.RawSyscall(call, fd, uintptr(unsafe.Pointer(&p[done])), uintptr(len(p)-done))
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return done, errno
		case n == 0:
			return done, nil
		default:
			done += int(n)
		}
	}
	return len(p), nil
}
