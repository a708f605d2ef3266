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
#include <xen/platform.h>
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
    VALUE(XEN_DOMCTL_pausedomain);
    VALUE(XEN_DOMCTL_unpausedomain);
    VALUE(XEN_DOMCTL_getdomaininfo);
    VALUE(XEN_DOMCTL_getvcpuinfo);
    VALUE(XEN_DOMCTL_scheduler_op);
    VALUE(XEN_DOMCTL_setdomainhandle);
    VALUE(XEN_DOMCTL_getvcpuaffinity);
    VALUE(XEN_DOMCTL_SCHEDOP_putinfo);
    VALUE(XEN_DOMCTL_SCHEDOP_getinfo);
    VALUE(XEN_VCPUAFFINITY_HARD);
    VALUE(XEN_SCHEDULER_CREDIT);
    VALUE(XEN_SCHEDULER_CREDIT2);
    VALUE(XEN_SCHEDULER_ARINC653);
    VALUE(XEN_SCHEDULER_RTDS);
    VALUE(XEN_SCHEDULER_NULL);
    VALUE(XEN_SYSCTL_getdomaininfolist);
    VALUE(XEN_SYSCTL_cpupool_op);
    VALUE(XEN_SYSCTL_CPUPOOL_OP_INFO);
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
    SIZE(struct xen_domctl_setdomainhandle);
    OFFSET(struct xen_domctl_setdomainhandle, handle);
    SIZE(struct xenctl_bitmap);
    OFFSET(struct xenctl_bitmap, bitmap);
    OFFSET(struct xenctl_bitmap, nr_bits);
    SIZE(struct xen_domctl_vcpuaffinity);
    OFFSET(struct xen_domctl_vcpuaffinity, vcpu);
    OFFSET(struct xen_domctl_vcpuaffinity, flags);
    OFFSET(struct xen_domctl_vcpuaffinity, cpumap_hard);
    OFFSET(struct xen_domctl_vcpuaffinity, cpumap_soft);
    SIZE(struct xen_domctl_scheduler_op);
    OFFSET(struct xen_domctl_scheduler_op, sched_id);
    OFFSET(struct xen_domctl_scheduler_op, cmd);
    OFFSET(struct xen_domctl_scheduler_op, u.credit.weight);
    OFFSET(struct xen_domctl_scheduler_op, u.credit.cap);
    OFFSET(struct xen_domctl_scheduler_op, u.credit2.weight);
    OFFSET(struct xen_domctl_scheduler_op, u.credit2.cap);
    SIZE(struct xen_sysctl);
    SIZE(struct xen_sysctl_cpupool_op);
    OFFSET(struct xen_sysctl_cpupool_op, op);
    OFFSET(struct xen_sysctl_cpupool_op, cpupool_id);
    OFFSET(struct xen_sysctl_cpupool_op, sched_id);
    OFFSET(struct xen_sysctl_cpupool_op, domid);
    OFFSET(struct xen_sysctl_cpupool_op, cpu);
    OFFSET(struct xen_sysctl_cpupool_op, n_dom);
    OFFSET(struct xen_sysctl_cpupool_op, cpumap);
    OFFSET(struct xen_sysctl, cmd);
    OFFSET(struct xen_sysctl, interface_version);
    OFFSET(struct xen_sysctl, u);
    SIZE(struct xen_sysctl_getdomaininfolist);
    OFFSET(struct xen_sysctl_getdomaininfolist, first_domain);
    OFFSET(struct xen_sysctl_getdomaininfolist, max_domains);
    OFFSET(struct xen_sysctl_getdomaininfolist, buffer);
    OFFSET(struct xen_sysctl_getdomaininfolist, num_domains);
    VALUE(XEN_SYSCTL_getcpuinfo);
    SIZE(struct xen_sysctl_getcpuinfo);
    OFFSET(struct xen_sysctl_getcpuinfo, max_cpus);
    OFFSET(struct xen_sysctl_getcpuinfo, info);
    OFFSET(struct xen_sysctl_getcpuinfo, nr_cpus);
    SIZE(struct xen_sysctl_cpuinfo);
    OFFSET(struct xen_sysctl_cpuinfo, idletime);
    VALUE(XEN_DOMCTL_psr_alloc);
    VALUE(XEN_DOMCTL_PSR_SET_L3_CBM);
    VALUE(XEN_DOMCTL_PSR_GET_L3_CBM);
    VALUE(XEN_DOMCTL_PSR_SET_L3_CODE);
    VALUE(XEN_DOMCTL_PSR_SET_L3_DATA);
    VALUE(XEN_DOMCTL_PSR_GET_L3_CODE);
    VALUE(XEN_DOMCTL_PSR_GET_L3_DATA);
    VALUE(XEN_DOMCTL_PSR_SET_L2_CBM);
    VALUE(XEN_DOMCTL_PSR_GET_L2_CBM);
    VALUE(XEN_DOMCTL_PSR_SET_MBA_THRTL);
    VALUE(XEN_DOMCTL_PSR_GET_MBA_THRTL);
    VALUE(XEN_SYSCTL_psr_alloc);
    VALUE(XEN_SYSCTL_PSR_get_l3_info);
    VALUE(XEN_SYSCTL_PSR_get_l2_info);
    VALUE(XEN_SYSCTL_PSR_get_mba_info);
    VALUE(XEN_SYSCTL_PSR_CAT_L3_CDP);
    VALUE(XEN_SYSCTL_PSR_MBA_LINEAR);
    SIZE(struct xen_sysctl_psr_alloc);
    OFFSET(struct xen_sysctl_psr_alloc, cmd);
    OFFSET(struct xen_sysctl_psr_alloc, target);
    OFFSET(struct xen_sysctl_psr_alloc, u.cat_info.cbm_len);
    OFFSET(struct xen_sysctl_psr_alloc, u.cat_info.cos_max);
    OFFSET(struct xen_sysctl_psr_alloc, u.cat_info.flags);
    OFFSET(struct xen_sysctl_psr_alloc, u.mba_info.thrtl_max);
    OFFSET(struct xen_sysctl_psr_alloc, u.mba_info.cos_max);
    OFFSET(struct xen_sysctl_psr_alloc, u.mba_info.flags);
    SIZE(struct xen_domctl_psr_alloc);
    OFFSET(struct xen_domctl_psr_alloc, cmd);
    OFFSET(struct xen_domctl_psr_alloc, target);
    OFFSET(struct xen_domctl_psr_alloc, data);
    VALUE(XEN_DOMCTL_psr_cmt_op);
    VALUE(XEN_DOMCTL_PSR_CMT_OP_DETACH);
    VALUE(XEN_DOMCTL_PSR_CMT_OP_ATTACH);
    VALUE(XEN_DOMCTL_PSR_CMT_OP_QUERY_RMID);
    SIZE(struct xen_domctl_psr_cmt_op);
    OFFSET(struct xen_domctl_psr_cmt_op, cmd);
    OFFSET(struct xen_domctl_psr_cmt_op, data);
    VALUE(XEN_SYSCTL_psr_cmt_op);
    VALUE(XEN_SYSCTL_PSR_CMT_get_total_rmid);
    VALUE(XEN_SYSCTL_PSR_CMT_get_l3_upscaling_factor);
    VALUE(XEN_SYSCTL_PSR_CMT_get_l3_cache_size);
    VALUE(XEN_SYSCTL_PSR_CMT_get_l3_event_mask);
    SIZE(struct xen_sysctl_psr_cmt_op);
    OFFSET(struct xen_sysctl_psr_cmt_op, cmd);
    OFFSET(struct xen_sysctl_psr_cmt_op, flags);
    OFFSET(struct xen_sysctl_psr_cmt_op, u.data);
    OFFSET(struct xen_sysctl_psr_cmt_op, u.l3_cache.cpu);
    VALUE(XEN_SYSCTL_cputopoinfo);
    SIZE(struct xen_sysctl_cputopoinfo);
    OFFSET(struct xen_sysctl_cputopoinfo, num_cpus);
    OFFSET(struct xen_sysctl_cputopoinfo, cputopo);
    SIZE(struct xen_sysctl_cputopo);
    OFFSET(struct xen_sysctl_cputopo, core);
    OFFSET(struct xen_sysctl_cputopo, socket);
    OFFSET(struct xen_sysctl_cputopo, node);
    VALUE(XEN_INVALID_SOCKET_ID);
    VALUE(__HYPERVISOR_platform_op);
    VALUE(XENPF_INTERFACE_VERSION);
    VALUE(XENPF_resource_op);
    VALUE(XEN_RESOURCE_OP_MSR_READ);
    VALUE(XEN_RESOURCE_OP_MSR_WRITE);
    SIZE(struct xen_platform_op);
    OFFSET(struct xen_platform_op, cmd);
    OFFSET(struct xen_platform_op, interface_version);
    OFFSET(struct xen_platform_op, u);
    SIZE(struct xenpf_resource_op);
    OFFSET(struct xenpf_resource_op, nr_entries);
    OFFSET(struct xenpf_resource_op, cpu);
    OFFSET(struct xenpf_resource_op, entries);
    SIZE(struct xenpf_resource_entry);
    OFFSET(struct xenpf_resource_entry, u.cmd);
    OFFSET(struct xenpf_resource_entry, rsvd);
    OFFSET(struct xenpf_resource_entry, idx);
    OFFSET(struct xenpf_resource_entry, val);
    return 0;
}
