// SPDX-License-Identifier: Apache-2.0

package evtchn

import "structs"

// Requests and structures of <xen/sys/evtchn.h>. testdata/layout.txt has their
// values from the C compiler.
const (
	ioctlBindVIRQ        = 0x00044500
	ioctlBindInterdomain = 0x00084501
	ioctlBindUnboundPort = 0x00044502
	ioctlUnbind          = 0x00044503
	ioctlNotify          = 0x00044504
	ioctlReset           = 0x00004505
)

type bindVIRQ struct {
	_    structs.HostLayout
	virq uint32
}

type bindInterdomain struct {
	_            structs.HostLayout
	remoteDomain uint32
	remotePort   uint32
}

type bindUnboundPort struct {
	_            structs.HostLayout
	remoteDomain uint32
}

// portArg is struct ioctl_evtchn_unbind and struct ioctl_evtchn_notify.
type portArg struct {
	_    structs.HostLayout
	port uint32
}

// domidSelf is DOMID_SELF of <xen/xen.h>.
const domidSelf = 0x7ff0
