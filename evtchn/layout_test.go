// SPDX-License-Identifier: Apache-2.0

package evtchn

//go:generate ../internal/golden/generate.sh testdata/layout.c testdata/layout.txt

import (
	"testing"
	"unsafe"

	"github.com/vlibos/vlibos/internal/golden"
)

func TestLayoutMatchesTheCCompiler(t *testing.T) {
	var (
		v bindVIRQ
		i bindInterdomain
		u bindUnboundPort
		p portArg
	)
	golden.Check(t, map[string]uint64{
		"IOCTL_EVTCHN_BIND_VIRQ":         ioctlBindVIRQ,
		"IOCTL_EVTCHN_BIND_INTERDOMAIN":  ioctlBindInterdomain,
		"IOCTL_EVTCHN_BIND_UNBOUND_PORT": ioctlBindUnboundPort,
		"IOCTL_EVTCHN_UNBIND":            ioctlUnbind,
		"IOCTL_EVTCHN_NOTIFY":            ioctlNotify,
		"IOCTL_EVTCHN_RESET":             ioctlReset,
		"DOMID_SELF":                     domidSelf,
		"VIRQ_TIMER":                     uint64(VIRQTimer),
		"VIRQ_DEBUG":                     uint64(VIRQDebug),
		"VIRQ_DOM_EXC":                   uint64(VIRQDomExc),
		"sizeof(evtchn_port_t)":          uint64(unsafe.Sizeof(Port(0))),

		"sizeof(struct ioctl_evtchn_bind_virq)":                          uint64(unsafe.Sizeof(v)),
		"offsetof(struct ioctl_evtchn_bind_virq, virq)":                  uint64(unsafe.Offsetof(v.virq)),
		"sizeof(struct ioctl_evtchn_bind_interdomain)":                   uint64(unsafe.Sizeof(i)),
		"offsetof(struct ioctl_evtchn_bind_interdomain, remote_domain)":  uint64(unsafe.Offsetof(i.remoteDomain)),
		"offsetof(struct ioctl_evtchn_bind_interdomain, remote_port)":    uint64(unsafe.Offsetof(i.remotePort)),
		"sizeof(struct ioctl_evtchn_bind_unbound_port)":                  uint64(unsafe.Sizeof(u)),
		"offsetof(struct ioctl_evtchn_bind_unbound_port, remote_domain)": uint64(unsafe.Offsetof(u.remoteDomain)),
		"sizeof(struct ioctl_evtchn_unbind)":                             uint64(unsafe.Sizeof(p)),
		"offsetof(struct ioctl_evtchn_unbind, port)":                     uint64(unsafe.Offsetof(p.port)),
		"sizeof(struct ioctl_evtchn_notify)":                             uint64(unsafe.Sizeof(p)),
		"offsetof(struct ioctl_evtchn_notify, port)":                     uint64(unsafe.Offsetof(p.port)),
	})
}
