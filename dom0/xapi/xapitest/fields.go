// SPDX-License-Identifier: Apache-2.0

package xapitest

// The fields of a VM that its tests do not set, by type, as the published table of
// XAPI has them (doc/data/xenapi.json in xapi-project/xen-api).
var fields = []struct{ value, names string }{
	{`[]`, `allowed_operations consoles VIFs VBDs VUSBs crash_dumps VTPMs snapshots children VGPUs
		attached_PCIs pending_guidances pending_guidances_recommended pending_guidances_full`}, // sets
	{`""`, `name_description PV_bootloader PV_kernel PV_ramdisk PV_args PV_bootloader_args
		PV_legacy_args HVM_boot_policy PCI_bus domarch last_booted_record recommendations
		ha_restart_priority transportable_snapshot_id snapshot_metadata generation_id
		reference_label`}, // strings
	{`"0"`, `user_version memory_overhead memory_target memory_static_max memory_dynamic_max
		memory_dynamic_min memory_static_min VCPUs_max VCPUs_at_startup start_delay shutdown_delay
		order version hardware_platform_version`}, // integers
	{`false`, `is_default_template ha_always_run is_vmss_snapshot has_vendor_device requires_reboot`}, // bools
	{`"OpaqueRef:NULL"`, `suspend_VDI scheduled_to_be_resident_on affinity metrics guest_metrics snapshot_of parent
		protection_policy snapshot_schedule appliance suspend_SR`}, // refs
	{`"unspecified"`, `actions_after_softreboot actions_after_shutdown actions_after_reboot actions_after_crash
		domain_type`}, // enums
	{`{}`, `HVM_boot_params platform last_boot_CPU_flags xenstore_data blobs blocked_operations
		snapshot_info bios_strings NVRAM`}, // maps
	{`"19700101T00:00:00Z"`, `snapshot_time`}, // dates
}
