/* SPDX-License-Identifier: Apache-2.0 */
/* Prints sizes, offsets and numbers of Xen's toolstack interface. */
#define __XEN_TOOLS__ 1
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <xen/xen.h>
#include <xen/sched.h>
#include <xen/version.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>
#include <xen/sys/privcmd.h>

#define SIZE(t) printf("sizeof(%s) %zu\n", #t, sizeof(t))
#define OFFSET(t, f) printf("offsetof(%s, %s) %zu\n", #t, #f, offsetof(t, f))
#define VALUE(v) printf("%s %llu\n", #v, (unsigned long long)(v))

int main(void)
{
    VALUE(IOCTL_PRIVCMD_HYPERCALL);
    VALUE(__HYPERVISOR_xen_version);
    VALUE(__HYPERVISOR_sysctl);
    VALUE(__HYPERVISOR_domctl);
    VALUE(XEN_DOMCTL_INTERFACE_VERSION);
    VALUE(XEN_SYSCTL_INTERFACE_VERSION);
    VALUE(XEN_DOMCTL_pausedomain);
    VALUE(XEN_DOMCTL_unpausedomain);
    VALUE(XEN_DOMCTL_getdomaininfo);
    VALUE(XEN_DOMCTL_getvcpuinfo);
    VALUE(XEN_SYSCTL_getdomaininfolist);
    VALUE(XENVER_version);
    VALUE(XENVER_extraversion);
    VALUE(XENVER_compile_info);
    VALUE(XENVER_capabilities);
    VALUE(XENVER_changeset);
    VALUE(XENVER_pagesize);
    VALUE(XENVER_commandline);
    VALUE(XEN_DOMINF_dying);
    VALUE(XEN_DOMINF_hvm_guest);
    VALUE(XEN_DOMINF_shutdown);
    VALUE(XEN_DOMINF_paused);
    VALUE(XEN_DOMINF_blocked);
    VALUE(XEN_DOMINF_running);
    VALUE(XEN_DOMINF_debugged);
    VALUE(XEN_DOMINF_xs_domain);
    VALUE(XEN_DOMINF_hap);
    VALUE(XEN_DOMINF_shutdownmask);
    VALUE(XEN_DOMINF_shutdownshift);
    VALUE(DOMID_FIRST_RESERVED);
    VALUE(SHUTDOWN_poweroff);
    VALUE(SHUTDOWN_reboot);
    VALUE(SHUTDOWN_suspend);
    VALUE(SHUTDOWN_crash);
    VALUE(SHUTDOWN_watchdog);
    VALUE(SHUTDOWN_soft_reset);
    SIZE(privcmd_hypercall_t);
    OFFSET(privcmd_hypercall_t, op);
    OFFSET(privcmd_hypercall_t, arg);
    SIZE(xen_extraversion_t);
    SIZE(xen_capabilities_info_t);
    SIZE(xen_changeset_info_t);
    SIZE(xen_commandline_t);
    SIZE(xen_compile_info_t);
    OFFSET(xen_compile_info_t, compiler);
    OFFSET(xen_compile_info_t, compile_by);
    OFFSET(xen_compile_info_t, compile_domain);
    OFFSET(xen_compile_info_t, compile_date);
    SIZE(struct xen_domctl);
    OFFSET(struct xen_domctl, cmd);
    OFFSET(struct xen_domctl, interface_version);
    OFFSET(struct xen_domctl, domain);
    OFFSET(struct xen_domctl, u);
    SIZE(struct xen_domctl_getdomaininfo);
    OFFSET(struct xen_domctl_getdomaininfo, domain);
    OFFSET(struct xen_domctl_getdomaininfo, flags);
    OFFSET(struct xen_domctl_getdomaininfo, tot_pages);
    OFFSET(struct xen_domctl_getdomaininfo, max_pages);
    OFFSET(struct xen_domctl_getdomaininfo, outstanding_pages);
    OFFSET(struct xen_domctl_getdomaininfo, shr_pages);
    OFFSET(struct xen_domctl_getdomaininfo, paged_pages);
    OFFSET(struct xen_domctl_getdomaininfo, shared_info_frame);
    OFFSET(struct xen_domctl_getdomaininfo, cpu_time);
    OFFSET(struct xen_domctl_getdomaininfo, nr_online_vcpus);
    OFFSET(struct xen_domctl_getdomaininfo, max_vcpu_id);
    OFFSET(struct xen_domctl_getdomaininfo, ssidref);
    OFFSET(struct xen_domctl_getdomaininfo, handle);
    OFFSET(struct xen_domctl_getdomaininfo, cpupool);
    OFFSET(struct xen_domctl_getdomaininfo, gpaddr_bits);
    OFFSET(struct xen_domctl_getdomaininfo, arch_config.emulation_flags);
    OFFSET(struct xen_domctl_getdomaininfo, arch_config.misc_flags);
    SIZE(struct xen_domctl_getvcpuinfo);
    OFFSET(struct xen_domctl_getvcpuinfo, vcpu);
    OFFSET(struct xen_domctl_getvcpuinfo, online);
    OFFSET(struct xen_domctl_getvcpuinfo, blocked);
    OFFSET(struct xen_domctl_getvcpuinfo, running);
    OFFSET(struct xen_domctl_getvcpuinfo, cpu_time);
    OFFSET(struct xen_domctl_getvcpuinfo, cpu);
    SIZE(struct xen_sysctl);
    OFFSET(struct xen_sysctl, cmd);
    OFFSET(struct xen_sysctl, interface_version);
    OFFSET(struct xen_sysctl, u);
    SIZE(struct xen_sysctl_getdomaininfolist);
    OFFSET(struct xen_sysctl_getdomaininfolist, first_domain);
    OFFSET(struct xen_sysctl_getdomaininfolist, max_domains);
    OFFSET(struct xen_sysctl_getdomaininfolist, buffer);
    OFFSET(struct xen_sysctl_getdomaininfolist, num_domains);
    return 0;
}
