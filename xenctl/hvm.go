// SPDX-License-Identifier: Apache-2.0

package xenctl

import "fmt"

// TakesEvents reports whether an HVM or PVH domain has told Xen how to deliver events
// (HVM_PARAM_CALLBACK_IRQ of public/hvm/params.h), which kernels do that have Xen's
// drivers: libxl takes it for the sign of them, too. It is false while firmware runs.
// EINVAL: a PV domain, which always takes them. [ErrNoDomain]: no such domain.
func (h *Handle) TakesEvents(domid uint16) (bool, error) {
	op := fmt.Sprintf("look up event delivery of domain %d", domid)
	b, err := h.buffers.get()
	if err != nil {
		return false, opError(op, err)
	}
	defer h.buffers.put(b)
	p, addr := b.at(0)
	param := (*hvmParam)(p)
	param.domain, param.index = domid, hvmParamCallbackIRQ
	if _, err := h.hypercall(hypercallHVM, hvmGetParam, addr); err != nil {
		return false, opError(op, err)
	}
	return param.value != 0, nil
}
