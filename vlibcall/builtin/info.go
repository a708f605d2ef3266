// SPDX-License-Identifier: Apache-2.0

package builtin

import (
	"encoding/json"
	"fmt"

	"github.com/vlibos/vlibos/internal/printable"
)

// Info is the output of services: a server and its offer.
type Info struct {
	Name      string   `json:"name"`
	Version   string   `json:"version"`
	Revision  uint32   `json:"revision"`  // of the channel layout
	Transport string   `json:"transport"` // in use: "xen" or "native"
	Offered   []string `json:"transports"`
	Port      uint32   `json:"port"`

	Functions []Function `json:"functions"` // that need no library of the guest
	Libraries Libraries  `json:"libraries"`
	Worker    Worker     `json:"worker"`
	Limits    Limits     `json:"limits"`
}

// Function names a function.
type Function struct {
	Library  string `json:"library"`
	Function string `json:"function"`
}

// Libraries says which libraries of the guest may be called.
type Libraries struct {
	// AnySoname allows each soname that the guest's dynamic linker finds.
	AnySoname bool `json:"any_soname"`
	// Sonames that may be called if AnySoname is false.
	Sonames []string `json:"sonames"`
	// Directories whose files may be called, by absolute path.
	Directories []string `json:"directories"`
}

// Worker describes the processes in which libraries run.
type Worker struct {
	Path    string   `json:"path"`
	Problem string   `json:"problem,omitempty"` // the reason if none can be started
	Running []string `json:"running"`           // their libraries, last used first
}

// Limits of a server.
type Limits struct {
	MaxRunTimeMS int64 `json:"max_run_time_ms"` // of one call of a library or of run
	MaxOutput    int   `json:"max_output"`      // of run, bytes for each of stdout and stderr
	MaxWorkers   int   `json:"max_workers"`     // that are kept while idle
	WorkerSize   int   `json:"worker_size"`     // of a worker's channel: request and result together, bytes
}

const maxInfo = 1 << 20

// Decode reads the output of services, even from a hostile server: afterwards
// every string is printable.
func (i *Info) Decode(b []byte) error {
	if len(b) > maxInfo {
		return fmt.Errorf("decode services: %d bytes, more than %d", len(b), maxInfo)
	}
	var in Info
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("decode services: %w", err)
	}
	for _, s := range []*string{&in.Name, &in.Version, &in.Transport, &in.Worker.Path, &in.Worker.Problem} {
		*s = printable.Line(*s)
	}
	for _, list := range [][]string{in.Offered, in.Libraries.Sonames, in.Libraries.Directories, in.Worker.Running} {
		for j := range list {
			list[j] = printable.Line(list[j])
		}
	}
	for j, f := range in.Functions {
		in.Functions[j] = Function{printable.Line(f.Library), printable.Line(f.Function)}
	}
	*i = in
	return nil
}
