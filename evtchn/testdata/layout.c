/* SPDX-License-Identifier: Apache-2.0 */
/* Prints sizes, offsets and request numbers of Linux's event-channel device. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/sys/evtchn.h>

#define SIZE(t) printf("sizeof(%s) %zu\n", #t, sizeof(t))
#define OFFSET(t, f) printf("offsetof(%s, %s) %zu\n", #t, #f, offsetof(t, f))
#define VALUE(v) printf("%s %llu\n", #v, (unsigned long long)(v))

int main(void)
{
    VALUE(IOCTL_EVTCHN_BIND_VIRQ);
    VALUE(IOCTL_EVTCHN_BIND_INTERDOMAIN);
    VALUE(IOCTL_EVTCHN_BIND_UNBOUND_PORT);
    VALUE(IOCTL_EVTCHN_UNBIND);
    VALUE(IOCTL_EVTCHN_NOTIFY);
    VALUE(IOCTL_EVTCHN_RESET);
    VALUE(DOMID_SELF);
    VALUE(VIRQ_TIMER);
    VALUE(VIRQ_DEBUG);
    VALUE(VIRQ_DOM_EXC);
    SIZE(evtchn_port_t);
    SIZE(struct ioctl_evtchn_bind_virq);
    OFFSET(struct ioctl_evtchn_bind_virq, virq);
    SIZE(struct ioctl_evtchn_bind_interdomain);
    OFFSET(struct ioctl_evtchn_bind_interdomain, remote_domain);
    OFFSET(struct ioctl_evtchn_bind_interdomain, remote_port);
    SIZE(struct ioctl_evtchn_bind_unbound_port);
    OFFSET(struct ioctl_evtchn_bind_unbound_port, remote_domain);
    SIZE(struct ioctl_evtchn_unbind);
    OFFSET(struct ioctl_evtchn_unbind, port);
    SIZE(struct ioctl_evtchn_notify);
    OFFSET(struct ioctl_evtchn_notify, port);
    return 0;
}
