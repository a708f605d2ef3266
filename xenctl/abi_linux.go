// SPDX-License-Identifier: Apache-2.0

package xenctl

import "structs"

// Numbers and structures of <xen/version.h>, <xen/domctl.h>, <xen/sysctl.h>,
// <xen/platform.h>, <xen/hvm/hvm_op.h>, <xen/hvm/params.h> and <xen/sys/privcmd.h> on x86-64, the same in all [releases]. testdata/layout.txt has
// their values from the C compiler.
const (
	ioctlHypercall = 0x00305000

	hypercallPlatform   = 7
	hypercallXenVersion = 17
	hypercallHVM        = 34
	hypercallSysctl     = 35
	hypercallDomctl     = 36

	hvmGetParam         = 1
	hvmParamCallbackIRQ = 0

	domctlPause         = 3
	domctlUnpause       = 4
	domctlGetDomainInfo = 5
	domctlVCPUContext   = 13
	domctlGetVCPUInfo   = 14
	domctlSchedulerOp   = 16
	domctlSetHandle     = 17

	domctlGetVCPUAffinity = 25
	domctlPSRMonitor      = 75
	domctlPSRAlloc        = 78

	monitorDetach = 0
	monitorAttach = 1
	monitorQuery  = 2

	affinityHard = 1

	schedulerPutInfo = 0
	schedulerGetInfo = 1

	sysctlGetDomainInfoList = 6
	sysctlGetCPUInfo        = 8
	sysctlCPUTopology       = 16
	sysctlCPUPoolOp         = 18
	sysctlPSRMonitor        = 21
	sysctlPSRAlloc          = 23
	sysctlLivepatch         = 27

	livepatchUpload = 0
	livepatchGet    = 1
	livepatchAction = 3

	livepatchUnload = 1
	livepatchRevert = 2
	livepatchApply  = 3

	livepatchNameSize = 128

	psrL3Info  = 0
	psrL2Info  = 1
	psrMBAInfo = 2

	psrMonitorIDs    = 0
	psrMonitorScale  = 1
	psrMonitorCache  = 2
	psrMonitorEvents = 4

	platformVersion  = 0x03000001
	platformResource = 61

	resourceRead  = 0
	resourceWrite = 1

	noSocket = ^uint32(0)

	psrL3CDP     = 1 << 0
	psrMBALinear = 1 << 0

	cpuPoolInfo = 3

	xenverVersion      = 0
	xenverExtra        = 1
	xenverCompileInfo  = 2
	xenverCapabilities = 3
	xenverChangeset    = 4
	xenverPageSize     = 7
	xenverCommandLine  = 9
	xenverBuildID      = 10

	infoDying         = 1 << 0
	infoHVM           = 1 << 1
	infoShutdown      = 1 << 2
	infoPaused        = 1 << 3
	infoBlocked       = 1 << 4
	infoRunning       = 1 << 5
	infoDebugged      = 1 << 6
	infoXenstore      = 1 << 7
	infoHAP           = 1 << 8
	infoShutdownMask  = 255
	infoShutdownShift = 16

	domidFirstReserved = 0x7ff0
)

type privcmdHypercall struct {
	_   structs.HostLayout
	op  uint64
	arg [5]uint64
}

type hvmParam struct {
	_      structs.HostLayout
	domain uint16
	pad    uint16
	index  uint32
	value  uint64
}

type extraVersion [16]byte
type capabilitiesInfo [1024]byte
type changesetInfo [64]byte
type commandLine [1024]byte

type compileInfo struct {
	_             structs.HostLayout
	compiler      [64]byte
	compileBy     [16]byte
	compileDomain [32]byte
	compileDate   [32]byte
}

type getDomainInfo struct {
	_                structs.HostLayout
	domain           uint16
	pad1             uint16
	flags            uint32
	totalPages       uint64
	maxPages         uint64
	outstandingPages uint64
	sharedPages      uint64
	pagedPages       uint64
	sharedInfoFrame  uint64
	cpuTime          uint64
	onlineVCPUs      uint32
	maxVCPUID        uint32
	ssidref          uint32
	handle           [16]byte
	cpupool          uint32
	gpaddrBits       uint8
	pad2             [7]uint8
	emulationFlags   uint32
	miscFlags        uint32
}

type getVCPUInfo struct {
	_       structs.HostLayout
	vcpu    uint32
	online  uint8
	blocked uint8
	running uint8
	pad1    uint8
	cpuTime uint64
	cpu     uint32
	pad2    uint32
}

type vcpuContext struct {
	_       structs.HostLayout
	vcpu    uint32
	pad     uint32
	address uint64 // of struct vcpu_guest_context
}

// vcpuContextSize is the size in bytes of struct vcpu_guest_context.
const vcpuContextSize = 5168

type setDomainHandle struct {
	_      structs.HostLayout
	handle [16]byte
}

// bitmap is struct xenctl_bitmap.
type bitmap struct {
	_       structs.HostLayout
	address uint64
	bits    uint32
	pad     uint32
}

type vcpuAffinity struct {
	_     structs.HostLayout
	vcpu  uint32
	flags uint32
	hard  bitmap
	soft  bitmap
}

// schedulerOp has the union's members for schedulers with weights, which have
// the same layout.
type schedulerOp struct {
	_       structs.HostLayout
	schedID uint32
	cmd     uint32
	weight  uint16
	cap     uint16
	rest    [12]byte
}

// domctl has the union's member that this package uses; the others are within
// u.
type domctl struct {
	_                structs.HostLayout
	cmd              uint32
	interfaceVersion uint32
	domain           uint16
	pad              [3]uint16
	u                getDomainInfo
	rest             [16]byte
}

type getDomainInfoList struct {
	_           structs.HostLayout
	firstDomain uint16
	pad1        uint16
	maxDomains  uint32
	buffer      uint64
	numDomains  uint32
	pad2        uint32
}

type getCPUInfo struct {
	_       structs.HostLayout
	maxCPUs uint32
	pad1    uint32
	buffer  uint64
	numCPUs uint32
	pad2    uint32
}

type cpuInfo struct {
	_        structs.HostLayout
	idleTime uint64
}

type cpuPoolOp struct {
	_         structs.HostLayout
	op        uint32
	cpupoolID uint32
	schedID   uint32
	domid     uint32
	cpu       uint32
	nDom      uint32
	cpumap    bitmap
}

// psrInfo has the members for caches and for bandwidth, which have the same
// layout.
type psrInfo struct {
	_       structs.HostLayout
	cmd     uint32
	target  uint32
	most    uint32 // bits of a mask, or the largest throttle
	classes uint32
	flags   uint32
}

type psrAlloc struct {
	_      structs.HostLayout
	cmd    uint32
	target uint32
	data   uint64
}

type sysctl struct {
	_                structs.HostLayout
	cmd              uint32
	interfaceVersion uint32
	u                getDomainInfoList
	rest             [104]byte
}

// psrMonitorOp is struct xen_sysctl_psr_cmt_op; its union has a value, or a CPU in the
// lower half.
type psrMonitorOp struct {
	_     structs.HostLayout
	cmd   uint32
	flags uint32
	data  uint64
}

type psrMonitored struct {
	_    structs.HostLayout
	cmd  uint32
	data uint32
}

type cpuTopologyOp struct {
	_       structs.HostLayout
	numCPUs uint32
	pad     uint32
	buffer  uint64
}

type cpuTopology struct {
	_      structs.HostLayout
	core   uint32
	socket uint32
	node   uint32
}

type resourceOp struct {
	_       structs.HostLayout
	entries uint32
	cpu     uint32
	buffer  uint64
}

type platformOp struct {
	_                structs.HostLayout
	cmd              uint32
	interfaceVersion uint32
	u                resourceOp
	rest             [112]byte
}

// resourceEntry has the command, or the error, in cmd.
type resourceEntry struct {
	_     structs.HostLayout
	cmd   uint32
	rsvd  uint32
	index uint64
	value uint64
}
