/* SPDX-License-Identifier: GPL-2.0-only */
/* What module.h names of the schedulers and does not look into. */
struct scheduler;
struct sched_unit;
struct vcpu;
