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

// logSize is that of the memory which a logger would save; the paper's.
const logSize = 4 << 20

// answerSize of what the task says of a scan: nanoseconds, way, turn.
const answerSize = 16

// Task is the process that is measured: scans come in on standard input, as
// sent, and for each an answer goes out. What it measures is from the moment
// that it has the scan to its decision.
//
// It stays out of the Go runtime's hands: one thread, system calls that the
// runtime does not hear of, no garbage collection.
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

// transfer reads or writes all of p; 0 without an error is the end of input.
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
