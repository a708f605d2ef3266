// SPDX-License-Identifier: Apache-2.0

package vlib

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/xenctl"
)

// Module is the hypervisor's module, used through a handle.
type Module struct {
	h *xenctl.Handle
}

// Open checks that the hypervisor has the module, and its version. The error is
// [ErrAbsent] or [ErrVersion]. The caller keeps the handle, and closes it after
// the last use of the module.
func Open(h *xenctl.Handle) (*Module, error) {
	m := &Module{h}
	version, err := m.values(opVersion, 0, 0, 0, 0)
	if err := judgeVersion(version, err); err != nil {
		return nil, err
	}
	return m, nil
}

func judgeVersion(version uint64, err error) error {
	switch {
	case errors.Is(err, unix.ENOSYS):
		return opError("ask for the module's version", nowhere, errAbsent)
	case err != nil:
		return opError("ask for the module's version", nowhere, explain(aboutHost, err))
	case version != abiVersion:
		return opError("ask for the module's version", nowhere, &VersionError{Ours: abiVersion, Modules: uint32(version)})
	}
	return nil
}

// values makes the hypercall with values as arguments.
func (m *Module) values(cmd, a1, a2, a3, a4 uint64) (uint64, error) {
	return m.h.Hypercall(hypercall, [5]uint64{cmd, a1, a2, a3, a4})
}

// structure makes the hypercall with the address of a structure, which begins
// with its version. A module of another version stores its own there.
func structure[T any](m *Module, cmd uint64, s *T) error {
	p := unsafe.Pointer(s)
	*(*uint32)(p) = abiVersion
	_, err := m.h.HypercallMemory(hypercall, [5]uint64{cmd}, 3, unsafe.Slice((*byte)(p), unsafe.Sizeof(*s)))
	if modules := *(*uint32)(p); err == unix.EBADMSG && modules != abiVersion {
		return &VersionError{Ours: abiVersion, Modules: modules}
	}
	return err
}
