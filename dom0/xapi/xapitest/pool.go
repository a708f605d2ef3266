// SPDX-License-Identifier: Apache-2.0

package xapitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/xapi"
)

// Host is the UUID of the only host of the pool, and HostRef its reference.
const (
	Host    = "11111111-2222-3333-4444-555555555555"
	HostRef = "OpaqueRef:host"
	// OtherHost is the reference of a host that is elsewhere.
	OtherHost = "OpaqueRef:other"
	pool      = "OpaqueRef:pool"
)

// VM is a VM of the pool.
type VM struct {
	UUID, Name, Power  string
	Domid              int
	Host               string // reference; empty: none
	Tags               []string
	OtherConfig        map[string]string
	Mask               string
	Template, Snapshot bool
	created, changed   int64 // generations
	ref                string
}

// XAPI is the server. Its methods may be called concurrently.
type XAPI struct {
	// Hooks is the folder of the hooks; empty: none are run.
	Hooks string
	// Plain keeps NaN and Infinity, which JavaScript does not read, out of answers.
	Plain bool
	// Short leaves out the fields that tests do not set.
	Short bool

	mu         sync.Mutex
	vms        map[string]*VM
	gone       map[string]int64
	generation int64
	sessions   map[string]bool
	logins     int
	wake       chan struct{} // is closed at the next change
	fault      Fault
	calls      map[string]int
}

// Fault is how calls fail.
type Fault struct {
	Method string // of these calls; empty: of all
	Name   string // of the error that they return; empty: none
	Delay  time.Duration
	Cut    int // the answer ends after that many bytes; 0: whole
	Status int // of HTTP; 0: 200
	Once   bool
}

// New makes a pool without VMs.
func New() *XAPI {
	return &XAPI{
		vms: make(map[string]*VM), gone: make(map[string]int64), sessions: make(map[string]bool), generation: 1,
		wake: make(chan struct{}), calls: make(map[string]int),
	}
}

// Options lead to this XAPI by a socket of its own, which ends with the test.
func (x *XAPI) Options(t testing.TB) xapi.Options {
	t.Helper()
	return xapi.Options{Address: x.Listen(t, t.TempDir()+"/xapi"), Originator: "test"}
}

// Fail sets how calls fail from now on; the zero Fault ends that.
func (x *XAPI) Fail(f Fault) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.fault = f
}

// Calls is how often a method was called.
func (x *XAPI) Calls(method string) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.calls[method]
}

// NewCoordinator ends all sessions and counts generations from the beginning, as
// another coordinator with an older database would.
func (x *XAPI) NewCoordinator() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sessions = make(map[string]bool)
	x.generation = 1
	for _, v := range x.vms {
		x.generation++
		v.created, v.changed = x.generation, x.generation
	}
	clear(x.gone)
	x.wakeAll()
}

// Add adds a VM and returns its reference.
func (x *XAPI) Add(v VM) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	v.ref = "OpaqueRef:" + v.UUID
	v.OtherConfig = maps.Clone(v.OtherConfig)
	if v.OtherConfig == nil {
		v.OtherConfig = make(map[string]string)
	}
	x.vms[v.ref] = &v
	x.touch(&v)
	v.created = v.changed
	return v.ref
}

// Change changes a VM, if there is one with that reference.
func (x *XAPI) Change(ref string, f func(*VM)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if v := x.vms[ref]; v != nil {
		f(v)
		x.touch(v)
	}
}

// Set sets an entry of a VM's other_config, as 'xe vm-param-set' does; an empty
// text removes it.
func (x *XAPI) Set(ref, key, text string) {
	x.Change(ref, func(v *VM) {
		if v.OtherConfig[key] = text; text == "" {
			delete(v.OtherConfig, key)
		}
	})
}

// Remove removes a VM.
func (x *XAPI) Remove(ref string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.generation++
	delete(x.vms, ref)
	x.gone[ref] = x.generation
	x.wakeAll()
}

// Get is an entry of a VM's other_config.
func (x *XAPI) Get(ref, key string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if v := x.vms[ref]; v != nil {
		return v.OtherConfig[key]
	}
	return ""
}

func (x *XAPI) touch(v *VM) {
	x.generation++
	v.changed = x.generation
	x.wakeAll()
}

func (x *XAPI) wakeAll() {
	close(x.wake)
	x.wake = make(chan struct{})
}

// rest are the fields that are the same in all VMs; recommendations make
// a record about as large as real ones are.
var rest = func() string {
	var b strings.Builder
	for _, f := range fields {
		for _, name := range strings.Fields(f.names) {
			value := f.value
			if name == "recommendations" {
				value = `"` + strings.Repeat(`<restriction field=\"memory-static-max\" max=\"1649267441664\"/>`, 60) + `"`
			}
			fmt.Fprintf(&b, ",%q:%s", name, value)
		}
	}
	return b.String()
}()

// write appends the VM's record as XAPI writes it.
func (x *XAPI) write(b *bytes.Buffer, v *VM) {
	host := v.Host
	if host == "" {
		host = "OpaqueRef:NULL"
	}
	params := map[string]string{}
	if v.Mask != "" {
		params["mask"] = v.Mask
	}
	tags := v.Tags
	if tags == nil {
		tags = []string{}
	}
	own, err := json.Marshal(map[string]any{
		"uuid": v.UUID, "name_label": v.Name, "power_state": v.Power, "domid": fmt.Sprint(v.Domid), "resident_on": host, "tags": tags,
		"other_config": v.OtherConfig, "VCPUs_params": params, "is_a_template": v.Template || v.Snapshot, "is_a_snapshot": v.Snapshot,
		"is_control_domain": false, "current_operations": map[string]string{},
	})
	if err != nil {
		panic(err) // strings alone
	}
	b.Write(own[:len(own)-1])
	if !x.Short {
		b.WriteString(rest)
	}
	if !x.Plain {
		b.WriteString(`,"HVM_shadow_multiplier":-Infinity,"of_a_version_to_come":[NaN,Infinity,-1]`)
	}
	b.WriteByte('}')
}

// sorted are the VMs by generation.
func (x *XAPI) sorted() []*VM {
	return slices.SortedFunc(maps.Values(x.vms), func(a, b *VM) int { return int(a.changed - b.changed) })
}

// ServeHTTP implements http.Handler: POST /jsonrpc.
func (x *XAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q struct {
		ID     json.RawMessage
		Method string
		Params []json.RawMessage
	}
	if r.URL.Path != "/jsonrpc" || json.NewDecoder(r.Body).Decode(&q) != nil {
		http.NotFound(w, r)
		return
	}
	x.mu.Lock()
	x.calls[q.Method]++
	x.mu.Unlock()
	f := x.faultOf(q.Method, false)
	select {
	case <-time.After(f.Delay):
	case <-r.Context().Done():
		return
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"jsonrpc":"2.0","id":%s,`, q.ID)
	if f.Name != "" {
		failed(&b, f.Name)
	} else if err := x.call(r.Context(), &b, q.Method, q.Params); err != nil {
		failed(&b, err.name, err.params...)
	}
	b.WriteByte('}')
	w.Header().Set("Content-Type", "application/json")
	if f.Status != 0 {
		w.WriteHeader(f.Status)
	}
	// The answer may have waited for a change.
	if f := x.faultOf(q.Method, true); f.Cut > 0 && f.Cut < b.Len() {
		w.Write(b.Bytes()[:f.Cut])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler) // ends the connection
	}
	w.Write(b.Bytes())
}

// faultOf is how a call fails: at its end if the answer is to be cut off, else at its
// beginning.
func (x *XAPI) faultOf(method string, end bool) Fault {
	x.mu.Lock()
	defer x.mu.Unlock()
	f := x.fault
	if f.Method != "" && f.Method != method || end != (f.Cut > 0) {
		return Fault{}
	}
	if f.Once {
		x.fault = Fault{}
	}
	return f
}

// failure is an error of XAPI.
type failure struct {
	name   string
	params []string
}

func failed(b *bytes.Buffer, name string, params ...string) {
	text, err := json.Marshal(map[string]any{"code": 1, "message": name, "data": append([]string{}, params...)})
	if err != nil {
		panic(err) // strings alone
	}
	fmt.Fprintf(b, `"error":%s`, text)
}
