// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/lab"
)

// Exit statuses other than the command's; app.go has them in the help.
const (
	statusUsage       = 2
	statusNoSource    = 3 // of vliblab hypervisor
	statusTimeout     = 124
	statusLab         = 125
	statusInterrupted = 130
)

// usageError is a wrong command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// noSource is a hypervisor that cannot be built because its source is not available.
type noSource struct{ err error }

func (e noSource) Error() string { return e.err.Error() }
func (e noSource) Unwrap() error { return e.err }

// commandStatus is a command in Dom0 that ended with another status than 0.
type commandStatus int

func (s commandStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// status returns the exit status of an error.
func status(err error) int {
	var command commandStatus
	var usage usageError
	var source noSource
	switch {
	case err == nil:
		return 0
	case errors.As(err, &command):
		return int(command)
	case errors.As(err, &usage):
		return statusUsage
	case errors.As(err, &source):
		return statusNoSource
	case errors.Is(err, lab.ErrTimeout):
		return statusTimeout
	case errors.Is(err, context.Canceled):
		return statusInterrupted
	default:
		return statusLab
	}
}

// message returns the message of an error. It is empty for a command's status, which
// the command itself has explained.
func message(err error) string {
	var command commandStatus
	if err == nil || errors.As(err, &command) {
		return ""
	}
	if errors.Is(err, errLeft) {
		return "vliblab: " + errLeft.Error()
	}
	text := "vliblab: " + err.Error()
	var failed *lab.Error
	if errors.As(err, &failed) && !errors.Is(err, context.Canceled) {
		text = failed.Report() + text
	}
	return text
}
