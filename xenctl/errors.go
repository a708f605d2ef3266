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

// VersionError reports that Xen has another version of a toolstack interface
// than this package.
type VersionError struct {
	// Interface is "domctl" or "sysctl".
	Interface string
	// Ours is the version this package is built for.
	Ours uint32
	// Xens is the version that Xen accepts; 0 when it was not found.
	Xens uint32
	// Release is Xen's release, for example "4.20"; empty when unknown.
	Release string
}

func (e *VersionError) Error() string {
	xens := "another one"
	if e.Xens != 0 {
		xens = fmt.Sprintf("%#x", e.Xens)
	}
	if e.Release != "" {
		xens += " (Xen " + e.Release + ")"
	}
	return fmt.Sprintf("this program speaks %s interface version %#x (Xen 4.17), the hypervisor %s: use a build for that Xen",
		e.Interface, e.Ours, xens)
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
