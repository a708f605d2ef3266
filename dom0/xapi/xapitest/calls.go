// SPDX-License-Identifier: Apache-2.0

package xapitest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Listen serves on a unix socket until the test ends, and returns its path.
func (x *XAPI) Listen(t testing.TB, path string) string {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: x}
	done := make(chan struct{})
	go func() { s.Serve(l); close(done) }()
	t.Cleanup(func() { s.Close(); <-done })
	return path
}

// methods are those that the server knows.
var methods = []string{
	"session.login_with_password", "session.logout", "system.listMethods", "event.from", "event.inject",
	"pool.get_all_records", "host.get_all_records", "task.get_all_records", "host.get_record", "host.get_by_uuid",
	"VM.get_all_records", "VM.get_record", "VM.get_by_uuid", "VM.get_other_config", "VM.set_name_label", "VM.add_to_other_config", "VM.remove_from_other_config", "VM.start",
}

// records are the objects besides VMs.
var records = map[string]string{
	"pool": fmt.Sprintf(`{%q:{"uuid":"pool","name_label":"","master":%q,"other_config":{},"tags":[]}}`, pool, HostRef),
	"host": fmt.Sprintf(`{%q:{"uuid":%q,"name_label":"host","hostname":"host","address":"127.0.0.1","other_config":{},"tags":[]}}`, HostRef, Host),
}

func (x *XAPI) call(ctx context.Context, b *bytes.Buffer, method string, params []json.RawMessage) *failure {
	text := func(i int) (s string) {
		if i < len(params) {
			_ = json.Unmarshal(params[i], &s)
		}
		return s
	}
	result := func(v any) *failure {
		encoded, err := json.Marshal(v)
		if err != nil {
			panic(err) // strings alone
		}
		fmt.Fprintf(b, `"result":%s`, encoded)
		return nil
	}
	switch method {
	case "session.login_with_password":
		x.mu.Lock()
		defer x.mu.Unlock()
		x.logins++
		s := fmt.Sprintf("OpaqueRef:session-%d", x.logins)
		x.sessions[s] = true
		return result(s)
	case "system.listMethods":
		return result(methods)
	}
	x.mu.Lock()
	session := text(0)
	known := x.sessions[session]
	x.mu.Unlock()
	if !known {
		return &failure{"SESSION_INVALID", []string{session}}
	}
	switch method {
	case "event.from":
		return x.from(ctx, b, session, text(2), params)
	case "VM.start":
		return x.start(ctx, b, text(1))
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch method {
	case "session.logout":
		delete(x.sessions, session)
		return result("")
	case "event.inject":
		return result(token(x.generation))
	case "pool.get_all_records", "host.get_all_records":
		fmt.Fprintf(b, `"result":%s`, records[method[:4]])
		return nil
	case "task.get_all_records":
		return result(map[string]string{})
	case "host.get_record":
		var all map[string]json.RawMessage
		_ = json.Unmarshal([]byte(records["host"]), &all)
		return result(all[HostRef])
	case "host.get_by_uuid":
		if text(1) != Host {
			return &failure{"UUID_INVALID", []string{"host", text(1)}}
		}
		return result(HostRef)
	case "VM.get_all_records":
		b.WriteString(`"result":{`)
		for i, v := range x.sorted() {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(b, "%q:", v.ref)
			x.write(b, v)
		}
		b.WriteByte('}')
		return nil
	case "VM.get_by_uuid":
		return result("OpaqueRef:" + text(1))
	}
	v := x.vms[text(1)]
	if v == nil {
		return &failure{"HANDLE_INVALID", []string{"VM", text(1)}}
	}
	switch method {
	case "VM.get_record":
		b.WriteString(`"result":`)
		x.write(b, v)
		return nil
	case "VM.get_other_config":
		return result(v.OtherConfig)
	case "VM.set_name_label":
		v.Name = text(2)
	case "VM.add_to_other_config":
		if _, there := v.OtherConfig[text(2)]; there {
			return &failure{"MAP_DUPLICATE_KEY", []string{"VM", "other_config", text(1), text(2)}}
		}
		v.OtherConfig[text(2)] = text(3)
	case "VM.remove_from_other_config":
		delete(v.OtherConfig, text(2))
	default:
		return &failure{"MESSAGE_METHOD_UNKNOWN", []string{method}}
	}
	x.touch(v)
	return result("")
}

func token(generation int64) string { return fmt.Sprintf("%020d,%020d", generation, 0) }

// gather is how long XAPI waits for more events after the first.
const gather = 50 * time.Millisecond

// from is event.from for VMs: those that were made, then those that changed, then
// those that are gone since the token. A new VM is among the first two.
func (x *XAPI) from(ctx context.Context, b *bytes.Buffer, session, since string, params []json.RawMessage) *failure {
	var from, messages int64
	if n, err := fmt.Sscanf(since, "%d,%d", &from, &messages); since != "" && (err != nil || n != 2) {
		return &failure{"EVENT_FROM_TOKEN_PARSE_FAILURE", []string{since}}
	}
	var seconds float64
	if len(params) > 3 {
		_ = json.Unmarshal(params[3], &seconds)
	}
	end := time.After(time.Duration(seconds * float64(time.Second)))
	for over := false; ; {
		x.mu.Lock()
		if !x.sessions[session] {
			x.mu.Unlock()
			return &failure{"SESSION_INVALID", []string{session}}
		}
		if x.generation > from || over {
			x.events(b, from)
			x.mu.Unlock()
			return nil
		}
		wake := x.wake
		x.mu.Unlock()
		select {
		case <-wake:
			time.Sleep(gather)
		case <-end:
			over = true
		case <-ctx.Done():
			over = true
		}
	}
}

func (x *XAPI) events(b *bytes.Buffer, from int64) {
	b.WriteString(`"result":{"events":[`)
	n := 0
	write := func(generation int64, operation, ref string, v *VM) {
		if n++; n > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(b, `{"id":"%d","timestamp":"0.0","class":"vm","operation":%q,"ref":%q`, generation, operation, ref)
		if v != nil {
			b.WriteString(`,"snapshot":`)
			x.write(b, v)
		}
		b.WriteByte('}')
	}
	all := x.sorted()
	for _, v := range all {
		if v.created > from {
			write(v.created, "add", v.ref, v)
		}
	}
	for _, v := range all {
		if v.changed > from {
			write(v.changed, "mod", v.ref, v)
		}
	}
	for ref, generation := range x.gone {
		if generation > from {
			write(generation, "del", ref, nil)
		}
	}
	fmt.Fprintf(b, `],"valid_ref_counts":{"vm":"%d","task":0},"token":%q}`, len(x.vms), token(max(x.generation, from)))
}

// firstDomid is the number of the domain that VM.start gives.
const firstDomid = 100

// start runs the hooks of a start as XAPI does, and then says that the VM runs.
func (x *XAPI) start(ctx context.Context, b *bytes.Buffer, ref string) *failure {
	x.mu.Lock()
	v := x.vms[ref]
	x.mu.Unlock()
	if v == nil {
		return &failure{"HANDLE_INVALID", []string{"VM", ref}}
	}
	const hook = "vm-pre-start"
	scripts, err := os.ReadDir(filepath.Join(x.Hooks, hook))
	if err != nil && x.Hooks != "" {
		return &failure{"INTERNAL_ERROR", []string{err.Error()}}
	}
	for _, s := range scripts {
		c := exec.CommandContext(ctx, filepath.Join(x.Hooks, hook, s.Name()), "-vmuuid", v.UUID, "-reason", "none")
		out, err := c.Output()
		exit := (*exec.ExitError)(nil)
		if errors.As(err, &exit) && exit.ExitCode() != 1 {
			return &failure{"XAPI_HOOK_FAILED", []string{hook + "/" + s.Name(), "none", string(out), fmt.Sprint(exit.ExitCode())}}
		}
	}
	x.Change(ref, func(v *VM) { v.Power, v.Host, v.Domid = "Running", HostRef, firstDomid })
	b.WriteString(`"result":""`)
	return nil
}
