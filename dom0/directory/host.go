// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

// The hosts' names.
const (
	// Auto is Xen, else native. For other users than root the gateway comes
	// first, if it has the domain.
	Auto    = "auto"
	Xen     = "xen"
	Native  = "native"
	Gateway = "gateway" // through the master's sockets
)

// How a master keeps budgets on Xen: by this project's module in it, or by Xen's
// own scheduler. Without either name it is the module if Xen has it.
const (
	Module = "module"
	Stock  = "stock"
)

// Hosts are the names that a master knows.
var Hosts = []string{Auto, Xen, Module, Stock, Native}

// Directory finds domains. It is safe for concurrent use; the owner closes it.
// Domains that it found on Xen are closed before it; their owner closes them.
type Directory interface {
	// Name is Xen, Native or Gateway; Auto where more than one is looked at.
	Name() string
	// Lookup finds the domain that ref means: a number, a name or a UUID on Xen, a
	// name on the native host, on the gateway a domain as the master's configuration
	// names it. Errors: host.ErrNoDomain, fs.ErrPermission.
	Lookup(ctx context.Context, ref string) (*Domain, error)
	// Domains returns all domains that this process may see.
	Domains(ctx context.Context) ([]*Domain, error)
	// Close frees what Open opened.
	Close() error
}

// Config chooses a host.
type Config struct {
	Host       string // Auto (or empty), Xen, Native or Gateway
	NativeDir  string // default native.DefaultRoot
	GatewayDir string // default DefaultGatewayDir
}

// DefaultGatewayDir has the sockets by which users other than root call.
const DefaultGatewayDir = "/run/vlibos/call"

// Open opens a host. Errors: ErrNoXen, fs.ErrPermission.
func Open(ctx context.Context, c Config) (Directory, error) {
	kind := c.Host
	if kind == "" || kind == Auto {
		if os.Geteuid() != 0 {
			return newEither(c), nil
		}
		kind = Detect("/").Host()
	}
	switch kind {
	case Xen, Module, Stock: // how budgets are kept is the master's
		return openXen(ctx, Detect("/"))
	case Native:
		return newNative(cmp.Or(c.NativeDir, native.DefaultRoot)), nil
	case Gateway:
		return newGateway(c.GatewayDir), nil
	}
	return nil, fmt.Errorf("host %q: want %s, %s, %s or %s", c.Host, Auto, Xen, Native, Gateway)
}

// Traces are what the kernel shows of a hypervisor.
type Traces struct {
	Type    string `json:"type,omitempty"` // /sys/hypervisor/type
	Dom0    bool   `json:"dom0"`           // /proc/xen/capabilities has control_d
	Xenfs   bool   `json:"xenfs"`          // /proc/xen/capabilities exists
	Privcmd bool   `json:"privcmd"`        // /dev/xen/privcmd exists
}

// Detect looks below root, which is "/" but in tests.
func Detect(root string) Traces {
	var t Traces
	if b, err := os.ReadFile(filepath.Join(root, "sys/hypervisor/type")); err == nil {
		t.Type = strings.TrimSpace(string(b))
	}
	if b, err := os.ReadFile(filepath.Join(root, "proc/xen/capabilities")); err == nil {
		t.Xenfs = true
		t.Dom0 = strings.Contains(string(b), "control_d")
	}
	_, err := os.Stat(filepath.Join(root, "dev/xen/privcmd"))
	t.Privcmd = err == nil
	return t
}

// Running reports whether this system runs on Xen.
func (t Traces) Running() bool { return t.Type == "xen" || t.Xenfs }

// Host is what Auto means on such a system.
func (t Traces) Host() string {
	if t.Running() && t.Privcmd {
		return Xen
	}
	return Native
}
