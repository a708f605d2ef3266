// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

var (
	// ErrNotSupported reports that this Xen or kernel does not know the call,
	// or that there is no Xen.
	ErrNotSupported = errors.New("not supported here")

	// ErrNoDomain reports that the domain does not exist, or no longer.
	ErrNoDomain = errors.New("no such domain")

	// ErrNoClass reports that all classes of service of the processor are in
	// use with other masks than the requested ones.
	ErrNoClass = errors.New("no class of service is free")

	// ErrBroken reports that Xen's answer contradicts its interface.
	ErrBroken = errors.New("unexpected answer from the hypervisor")
)

// OpError is the error of every operation of a [Handle]. It wraps a
// [VersionError], one of the errors above together with Xen's unix.Errno, a
// unix.Errno alone, or os.ErrClosed. What this process or domain may not do (it is not
// root, not Dom0, or a security policy forbids it) is fs.ErrPermission.
type OpError struct {
	// Op is the operation, for example "pause domain 3".
	Op string
	// Err is the reason.
	Err error
}

func (e *OpError) Error() string { return "xenctl: " + e.Op + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *OpError) Unwrap() error { return e.Err }

func opError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &OpError{Op: op, Err: classify(err)}
}

// VersionError reports that Xen accepts a version of a toolstack interface that this
// package does not speak.
type VersionError struct {
	// Interface is "domctl" or "sysctl".
	Interface string
	// Oldest and Newest are the versions that this package speaks.
	Oldest, Newest uint32
	// Xens is the version that Xen accepts.
	Xens uint32
	// Release is Xen's release, for example "4.23"; empty when unknown.
	Release string
}

func (e *VersionError) Error() string {
	xens := fmt.Sprintf("%#x", e.Xens)
	if e.Release != "" {
		xens += " (Xen " + e.Release + ")"
	}
	return fmt.Sprintf("this program speaks %s interface versions %#x to %#x (Xen %s to %s), the hypervisor %s: it is %s",
		e.Interface, e.Oldest, e.Newest, releases[0].name, releases[len(releases)-1].name, xens, e.Row())
}

// Row names the row of the table of releases in docs/reference/hosts.md that this Xen
// belongs to.
func (e *VersionError) Row() string {
	if e.Xens < e.Oldest {
		return "older than " + releases[0].name
	}
	return "newer than " + releases[len(releases)-1].name
}

// classify adds the meaning of an errno on which callers branch.
func classify(err error) error {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return err
	}
	switch errno {
	case unix.ESRCH:
		return fmt.Errorf("%w: %w", ErrNoDomain, err)
	case unix.ENOSYS, unix.EOPNOTSUPP, unix.ENOTTY, unix.ENOENT, unix.ENODEV, unix.ENXIO:
		return fmt.Errorf("%w: %w", ErrNotSupported, err)
	case unix.EFAULT:
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return err
}
