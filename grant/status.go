// SPDX-License-Identifier: Apache-2.0

package grant

import "fmt"

// Status is Xen's answer to one grant operation: GNTST_* of
// <xen/grant_table.h>.
type Status int16

// Xen's answers.
const (
	StatusOkay Status = 0
	// StatusGeneralError is also the answer for a reference in the granter's
	// table that is not granted to this domain, or is revoked.
	StatusGeneralError     Status = -1
	StatusBadDomain        Status = -2
	StatusBadRef           Status = -3
	StatusBadHandle        Status = -4
	StatusBadVirtAddr      Status = -5
	StatusBadDevAddr       Status = -6
	StatusNoDeviceSpace    Status = -7
	StatusPermissionDenied Status = -8
	StatusBadPage          Status = -9
	StatusBadCopyArg       Status = -10
	StatusAddressTooBig    Status = -11
	StatusAgain            Status = -12
	StatusNoSpace          Status = -13
)

var statusText = [...]string{
	"done (GNTST_okay)",
	"refused, most likely not granted to this domain, or no longer (GNTST_general_error)",
	"no such domain (GNTST_bad_domain)",
	"no such grant reference (GNTST_bad_gntref)",
	"no such mapping (GNTST_bad_handle)",
	"bad virtual address (GNTST_bad_virt_addr)",
	"bad device address (GNTST_bad_dev_addr)",
	"no space in the I/O MMU (GNTST_no_device_space)",
	"permission denied: the grant is read-only (GNTST_permission_denied)",
	"bad page (GNTST_bad_page)",
	"the copy crosses a page (GNTST_bad_copy_arg)",
	"address too big (GNTST_address_too_big)",
	"the page is not available at the moment (GNTST_eagain)",
	"out of grant handles (GNTST_no_space)",
}

func (s Status) String() string {
	if i := -int(s); i >= 0 && i < len(statusText) {
		return statusText[i]
	}
	return fmt.Sprintf("unknown status %d", int16(s))
}
