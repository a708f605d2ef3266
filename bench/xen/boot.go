// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Messages in the kernel's log.
const (
	kernelLog   = "/dev/kmsg"
	initMessage = "Run /init as init process"
	ourMessage  = "vlibbench: the time now\n"
)

// boot counts the instructions from power-on to Dom0's init. The counter is 0 at
// power-on. The kernel logs the start of init with the time of a clock that
// counts a nanosecond an instruction. So the result is the counter now, less the
// time that has passed since then.
func boot(s Samples) (err error) {
	f, err := os.OpenFile(kernelLog, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	fd, err := f.SyscallConn()
	if err != nil {
		return err
	}
	now := tsc()
	if _, err := f.WriteString(ourMessage); err != nil {
		return err
	}
	var began, noted time.Duration
	var line [8192]byte
	for noted == 0 {
		var n int
		var inner error
		err := fd.Control(func(fd uintptr) { n, inner = unix.Read(int(fd), line[:]) })
		if err = errors.Join(err, inner); errors.Is(err, unix.EPIPE) {
			continue // it was overwritten; the next read returns a later one
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", kernelLog, err)
		}
		// priority,number,microseconds,flags;message
		head, message, _ := strings.Cut(string(line[:n]), ";")
		fields := strings.Split(head, ",")
		if len(fields) < 3 {
			return fmt.Errorf("%s: record %q", kernelLog, line[:n])
		}
		at, err := time.ParseDuration(fields[2] + "us")
		if err != nil {
			return err
		}
		switch {
		case strings.HasPrefix(message, initMessage):
			began = at
		case strings.HasPrefix(message, ourMessage):
			noted = at
		}
	}
	if began == 0 {
		return fmt.Errorf("%s does not contain %q: the kernel needs a longer log", kernelLog, initMessage)
	}
	s[sampleBoot] = []float64{float64(now) - float64(noted-began)}
	return nil
}
