/* SPDX-License-Identifier: GPL-2.0-only */
/* Names that module.h takes from Xen's schedulers and does not look into. */
struct scheduler;
struct sched_unit;
struct vcpu;
