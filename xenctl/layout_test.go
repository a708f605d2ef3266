// SPDX-License-Identifier: Apache-2.0

package xenctl

//go:generate ../internal/golden/generate.sh testdata/layout.c testdata/layout.txt

import (
	"testing"
	"unsafe"

	"github.com/vlibos/vlibos/internal/golden"
)

func TestLayout(t *testing.T) {
	var (
		p privcmdHypercall
		c compileInfo
		d domctl
		i getDomainInfo
		v getVCPUInfo
		s sysctl
		l getDomainInfoList
		m bitmap
		a vcpuAffinity
		o schedulerOp
		q cpuPoolOp
	)
	golden.Check(t, map[string]uint64{
		"IOCTL_PRIVCMD_HYPERCALL":                                                ioctlHypercall,
		"__HYPERVISOR_xen_version":                                               hypercallXenVersion,
		"__HYPERVISOR_sysctl":                                                    hypercallSysctl,
		"__HYPERVISOR_domctl":                                                    hypercallDomctl,
		"XEN_DOMCTL_INTERFACE_VERSION":                                           domctlVersion,
		"XEN_SYSCTL_INTERFACE_VERSION":                                           sysctlVersion,
		"XEN_DOMCTL_pausedomain":                                                 domctlPause,
		"XEN_DOMCTL_unpausedomain":                                               domctlUnpause,
		"XEN_DOMCTL_getdomaininfo":                                               domctlGetDomainInfo,
		"XEN_DOMCTL_getvcpuinfo":                                                 domctlGetVCPUInfo,
		"XEN_SYSCTL_getdomaininfolist":                                           sysctlGetDomainInfoList,
		"XENVER_version":                                                         xenverVersion,
		"XENVER_extraversion":                                                    xenverExtra,
		"XENVER_compile_info":                                                    xenverCompileInfo,
		"XENVER_capabilities":                                                    xenverCapabilities,
		"XENVER_changeset":                                                       xenverChangeset,
		"XENVER_pagesize":                                                        xenverPageSize,
		"XENVER_commandline":                                                     xenverCommandLine,
		"XEN_DOMINF_dying":                                                       infoDying,
		"XEN_DOMINF_hvm_guest":                                                   infoHVM,
		"XEN_DOMINF_shutdown":                                                    infoShutdown,
		"XEN_DOMINF_paused":                                                      infoPaused,
		"XEN_DOMINF_blocked":                                                     infoBlocked,
		"XEN_DOMINF_running":                                                     infoRunning,
		"XEN_DOMINF_debugged":                                                    infoDebugged,
		"XEN_DOMINF_xs_domain":                                                   infoXenstore,
		"XEN_DOMINF_hap":                                                         infoHAP,
		"XEN_DOMINF_shutdownmask":                                                infoShutdownMask,
		"XEN_DOMINF_shutdownshift":                                               infoShutdownShift,
		"DOMID_FIRST_RESERVED":                                                   domidFirstReserved,
		"SHUTDOWN_poweroff":                                                      uint64(ShutdownPoweroff),
		"SHUTDOWN_reboot":                                                        uint64(ShutdownReboot),
		"SHUTDOWN_suspend":                                                       uint64(ShutdownSuspend),
		"SHUTDOWN_crash":                                                         uint64(ShutdownCrash),
		"SHUTDOWN_watchdog":                                                      uint64(ShutdownWatchdog),
		"SHUTDOWN_soft_reset":                                                    uint64(ShutdownSoftReset),
		"sizeof(privcmd_hypercall_t)":                                            uint64(unsafe.Sizeof(p)),
		"offsetof(privcmd_hypercall_t, op)":                                      uint64(unsafe.Offsetof(p.op)),
		"offsetof(privcmd_hypercall_t, arg)":                                     uint64(unsafe.Offsetof(p.arg)),
		"sizeof(xen_extraversion_t)":                                             uint64(unsafe.Sizeof(extraVersion{})),
		"sizeof(xen_capabilities_info_t)":                                        uint64(unsafe.Sizeof(capabilitiesInfo{})),
		"sizeof(xen_changeset_info_t)":                                           uint64(unsafe.Sizeof(changesetInfo{})),
		"sizeof(xen_commandline_t)":                                              uint64(unsafe.Sizeof(commandLine{})),
		"sizeof(xen_compile_info_t)":                                             uint64(unsafe.Sizeof(c)),
		"offsetof(xen_compile_info_t, compiler)":                                 uint64(unsafe.Offsetof(c.compiler)),
		"offsetof(xen_compile_info_t, compile_by)":                               uint64(unsafe.Offsetof(c.compileBy)),
		"offsetof(xen_compile_info_t, compile_domain)":                           uint64(unsafe.Offsetof(c.compileDomain)),
		"offsetof(xen_compile_info_t, compile_date)":                             uint64(unsafe.Offsetof(c.compileDate)),
		"sizeof(struct xen_domctl)":                                              uint64(unsafe.Sizeof(d)),
		"offsetof(struct xen_domctl, cmd)":                                       uint64(unsafe.Offsetof(d.cmd)),
		"offsetof(struct xen_domctl, interface_version)":                         uint64(unsafe.Offsetof(d.interfaceVersion)),
		"offsetof(struct xen_domctl, domain)":                                    uint64(unsafe.Offsetof(d.domain)),
		"offsetof(struct xen_domctl, u)":                                         uint64(unsafe.Offsetof(d.u)),
		"sizeof(struct xen_domctl_getdomaininfo)":                                uint64(unsafe.Sizeof(i)),
		"offsetof(struct xen_domctl_getdomaininfo, domain)":                      uint64(unsafe.Offsetof(i.domain)),
		"offsetof(struct xen_domctl_getdomaininfo, flags)":                       uint64(unsafe.Offsetof(i.flags)),
		"offsetof(struct xen_domctl_getdomaininfo, tot_pages)":                   uint64(unsafe.Offsetof(i.totalPages)),
		"offsetof(struct xen_domctl_getdomaininfo, max_pages)":                   uint64(unsafe.Offsetof(i.maxPages)),
		"offsetof(struct xen_domctl_getdomaininfo, outstanding_pages)":           uint64(unsafe.Offsetof(i.outstandingPages)),
		"offsetof(struct xen_domctl_getdomaininfo, shr_pages)":                   uint64(unsafe.Offsetof(i.sharedPages)),
		"offsetof(struct xen_domctl_getdomaininfo, paged_pages)":                 uint64(unsafe.Offsetof(i.pagedPages)),
		"offsetof(struct xen_domctl_getdomaininfo, shared_info_frame)":           uint64(unsafe.Offsetof(i.sharedInfoFrame)),
		"offsetof(struct xen_domctl_getdomaininfo, cpu_time)":                    uint64(unsafe.Offsetof(i.cpuTime)),
		"offsetof(struct xen_domctl_getdomaininfo, nr_online_vcpus)":             uint64(unsafe.Offsetof(i.onlineVCPUs)),
		"offsetof(struct xen_domctl_getdomaininfo, max_vcpu_id)":                 uint64(unsafe.Offsetof(i.maxVCPUID)),
		"offsetof(struct xen_domctl_getdomaininfo, ssidref)":                     uint64(unsafe.Offsetof(i.ssidref)),
		"offsetof(struct xen_domctl_getdomaininfo, handle)":                      uint64(unsafe.Offsetof(i.handle)),
		"offsetof(struct xen_domctl_getdomaininfo, cpupool)":                     uint64(unsafe.Offsetof(i.cpupool)),
		"offsetof(struct xen_domctl_getdomaininfo, gpaddr_bits)":                 uint64(unsafe.Offsetof(i.gpaddrBits)),
		"offsetof(struct xen_domctl_getdomaininfo, arch_config.emulation_flags)": uint64(unsafe.Offsetof(i.emulationFlags)),
		"offsetof(struct xen_domctl_getdomaininfo, arch_config.misc_flags)":      uint64(unsafe.Offsetof(i.miscFlags)),
		"sizeof(struct xen_domctl_getvcpuinfo)":                                  uint64(unsafe.Sizeof(v)),
		"offsetof(struct xen_domctl_getvcpuinfo, vcpu)":                          uint64(unsafe.Offsetof(v.vcpu)),
		"offsetof(struct xen_domctl_getvcpuinfo, online)":                        uint64(unsafe.Offsetof(v.online)),
		"offsetof(struct xen_domctl_getvcpuinfo, blocked)":                       uint64(unsafe.Offsetof(v.blocked)),
		"offsetof(struct xen_domctl_getvcpuinfo, running)":                       uint64(unsafe.Offsetof(v.running)),
		"offsetof(struct xen_domctl_getvcpuinfo, cpu_time)":                      uint64(unsafe.Offsetof(v.cpuTime)),
		"offsetof(struct xen_domctl_getvcpuinfo, cpu)":                           uint64(unsafe.Offsetof(v.cpu)),
		"sizeof(struct xen_sysctl)":                                              uint64(unsafe.Sizeof(s)),
		"offsetof(struct xen_sysctl, cmd)":                                       uint64(unsafe.Offsetof(s.cmd)),
		"offsetof(struct xen_sysctl, interface_version)":                         uint64(unsafe.Offsetof(s.interfaceVersion)),
		"offsetof(struct xen_sysctl, u)":                                         uint64(unsafe.Offsetof(s.u)),
		"sizeof(struct xen_sysctl_getdomaininfolist)":                            uint64(unsafe.Sizeof(l)),
		"offsetof(struct xen_sysctl_getdomaininfolist, first_domain)":            uint64(unsafe.Offsetof(l.firstDomain)),
		"offsetof(struct xen_sysctl_getdomaininfolist, max_domains)":             uint64(unsafe.Offsetof(l.maxDomains)),
		"offsetof(struct xen_sysctl_getdomaininfolist, buffer)":                  uint64(unsafe.Offsetof(l.buffer)),
		"offsetof(struct xen_sysctl_getdomaininfolist, num_domains)":             uint64(unsafe.Offsetof(l.numDomains)),
		"XEN_DOMCTL_scheduler_op":                                                domctlSchedulerOp,
		"XEN_DOMCTL_getvcpuaffinity":                                             domctlGetVCPUAffinity,
		"XEN_DOMCTL_SCHEDOP_putinfo":                                             schedulerPutInfo,
		"XEN_DOMCTL_SCHEDOP_getinfo":                                             schedulerGetInfo,
		"XEN_VCPUAFFINITY_HARD":                                                  affinityHard,
		"XEN_SCHEDULER_CREDIT":                                                   uint64(Credit),
		"XEN_SCHEDULER_CREDIT2":                                                  uint64(Credit2),
		"XEN_SCHEDULER_ARINC653":                                                 uint64(ARINC653),
		"XEN_SCHEDULER_RTDS":                                                     uint64(RTDS),
		"XEN_SCHEDULER_NULL":                                                     uint64(Null),
		"XEN_SYSCTL_cpupool_op":                                                  sysctlCPUPoolOp,
		"XEN_SYSCTL_CPUPOOL_OP_INFO":                                             cpuPoolInfo,
		"sizeof(struct xenctl_bitmap)":                                           uint64(unsafe.Sizeof(m)),
		"offsetof(struct xenctl_bitmap, bitmap)":                                 uint64(unsafe.Offsetof(m.address)),
		"offsetof(struct xenctl_bitmap, nr_bits)":                                uint64(unsafe.Offsetof(m.bits)),
		"sizeof(struct xen_domctl_vcpuaffinity)":                                 uint64(unsafe.Sizeof(a)),
		"offsetof(struct xen_domctl_vcpuaffinity, vcpu)":                         uint64(unsafe.Offsetof(a.vcpu)),
		"offsetof(struct xen_domctl_vcpuaffinity, flags)":                        uint64(unsafe.Offsetof(a.flags)),
		"offsetof(struct xen_domctl_vcpuaffinity, cpumap_hard)":                  uint64(unsafe.Offsetof(a.hard)),
		"offsetof(struct xen_domctl_vcpuaffinity, cpumap_soft)":                  uint64(unsafe.Offsetof(a.soft)),
		"sizeof(struct xen_domctl_scheduler_op)":                                 uint64(unsafe.Sizeof(o)),
		"offsetof(struct xen_domctl_scheduler_op, sched_id)":                     uint64(unsafe.Offsetof(o.schedID)),
		"offsetof(struct xen_domctl_scheduler_op, cmd)":                          uint64(unsafe.Offsetof(o.cmd)),
		"offsetof(struct xen_domctl_scheduler_op, u.credit.weight)":              uint64(unsafe.Offsetof(o.weight)),
		"offsetof(struct xen_domctl_scheduler_op, u.credit.cap)":                 uint64(unsafe.Offsetof(o.cap)),
		"offsetof(struct xen_domctl_scheduler_op, u.credit2.weight)":             uint64(unsafe.Offsetof(o.weight)),
		"offsetof(struct xen_domctl_scheduler_op, u.credit2.cap)":                uint64(unsafe.Offsetof(o.cap)),
		"sizeof(struct xen_sysctl_cpupool_op)":                                   uint64(unsafe.Sizeof(q)),
		"offsetof(struct xen_sysctl_cpupool_op, op)":                             uint64(unsafe.Offsetof(q.op)),
		"offsetof(struct xen_sysctl_cpupool_op, cpupool_id)":                     uint64(unsafe.Offsetof(q.cpupoolID)),
		"offsetof(struct xen_sysctl_cpupool_op, sched_id)":                       uint64(unsafe.Offsetof(q.schedID)),
		"offsetof(struct xen_sysctl_cpupool_op, domid)":                          uint64(unsafe.Offsetof(q.domid)),
		"offsetof(struct xen_sysctl_cpupool_op, cpu)":                            uint64(unsafe.Offsetof(q.cpu)),
		"offsetof(struct xen_sysctl_cpupool_op, n_dom)":                          uint64(unsafe.Offsetof(q.nDom)),
		"offsetof(struct xen_sysctl_cpupool_op, cpumap)":                         uint64(unsafe.Offsetof(q.cpumap)),
	})
}
