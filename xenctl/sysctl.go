// SPDX-License-Identifier: Apache-2.0

package xenctl

import "unsafe"

// sysctlOf has do make a sysctl that carries U, a member of the request's union. do
// fills u, and what u refers to in the buffer, calls ask, and reads the answer there:
// afterwards both are another request's.
func sysctlOf[U any](h *Handle, cmd uint32, do func(u *U, b *buffer, ask func() error) error) error {
	version, err := h.sysctlVersion()
	if err != nil {
		return err
	}
	b, err := h.buffers.get()
	if err != nil {
		return err
	}
	defer h.buffers.put(b)
	p, addr := b.at(0)
	op := (*sysctl)(p)
	op.cmd, op.interfaceVersion = cmd, version
	return do((*U)(unsafe.Pointer(&op.u)), b, func() error {
		_, err := h.hypercall(hypercallSysctl, addr)
		return err
	})
}
