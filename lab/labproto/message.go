// SPDX-License-Identifier: Apache-2.0

package labproto

// Revision changes with every change of this package that the other end can
// notice.
const Revision = 5

// Port is the name of the virtio-serial port that carries the stream.
const Port = "org.vlibos.lab"

// RoleParameter is the kernel parameter that tells the init program its role,
// one of the Role constants.
const (
	RoleParameter = "vlibos.role"
	RoleDom0      = "dom0"
	RoleDomU      = "domu"
	RoleLinux     = "linux" // as Dom0, without Xen
)

// Hello is the guest's first message.
type Hello struct {
	Revision int    `json:"revision"`
	Kernel   string `json:"kernel"`
	Xen      string `json:"xen"` // "" without one
}

// Plan is what Dom0's init prepares before the machine may be saved.
type Plan struct {
	// Scheduler is the one that Xen must run under, "" for any.
	Scheduler string `json:"scheduler,omitempty"`
	// Domains are created in this order.
	Domains []DomU `json:"domains,omitempty"`
	// Kernel and Ramdisk are what the domains boot, as paths in Dom0. The
	// files of Ramdisk are concatenated in their order.
	Kernel  string   `json:"kernel,omitempty"`
	Ramdisk []string `json:"ramdisk,omitempty"`
}

// Job is what Dom0's init runs on a prepared machine, after the files on its
// disk have been unpacked.
type Job struct {
	// Args is the command, which is looked up in PATH, with its arguments.
	// Env is added to the environment.
	Args []string `json:"args"`
	Env  []string `json:"env,omitempty"`
	// Stdin says that there will be Stdin frames. Without it the command
	// reads from /dev/null.
	Stdin bool `json:"stdin,omitempty"`
	// TTY gives the command a terminal of this size. All of its output is
	// then Stdout.
	TTY *Window `json:"tty,omitempty"`
	// WaitSeconds limits the wait for one domain's server, in guest time. 0
	// means that there is no server to wait for.
	WaitSeconds int `json:"wait_seconds,omitempty"`
	// Address is Dom0's on the network to another machine, as in
	// "10.0.0.1/24"; "" if there is none.
	Address string `json:"address,omitempty"`
	// Logs requests the domains' consoles in any case; after a failure they
	// are sent without it.
	Logs bool `json:"logs,omitempty"`
}

// DomU is a guest to create.
type DomU struct {
	Name string `json:"name"`
	// Config is the xl configuration without name, kernel and ramdisk.
	Config string `json:"config"`
	// Disk is the path of a file that the configuration names as a disk, and that
	// begins with the domain's name and a line's end; "" if there is none.
	Disk string `json:"disk,omitempty"`
}

// DiskSize is the size of a domain's disk in bytes.
const DiskSize = 1 << 20

// Window is the size of a terminal in characters.
type Window struct {
	Rows uint16 `json:"rows"`
	Cols uint16 `json:"cols"`
}

// Log is a domain's console, or the end of it.
type Log struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Failed says that the guest could not start the command.
type Failed struct {
	Awaited string `json:"awaited"`
	Error   string `json:"error"`
}

// Exit is how the command ended, as a shell reports it: 127 for a command that
// does not exist, 126 for one that cannot be run, 128 + n for signal n.
type Exit struct {
	Status int `json:"status"`
}
