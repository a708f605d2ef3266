// SPDX-License-Identifier: Apache-2.0

package xapi

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// eventWait is how long event.from waits for an event.
const eventWait = 30 * time.Second

// event is a change of a VM.
type event struct {
	ref  string
	gone bool
	vm   *VM // nil: gone, or none that is followed
}

// changes are what one event.from brings, after all of it has come.
type changes struct {
	events []event
	token  string // for the next
}

// next waits for changes since a token; the empty one brings all VMs. A token says
// nothing to another coordinator, and a session ends with its coordinator: after
// any error the caller logs in again, and begins with the empty token.
func (c *Client) next(ctx context.Context, session, token string) (changes, error) {
	// An answer with all VMs takes long to come.
	ctx, cancel := context.WithTimeout(ctx, eventWait+2*time.Minute)
	defer cancel()
	var all changes
	err := c.post(ctx, "event.from", all.decode, session, []string{"vm"}, token, eventWait.Seconds()+0.1) // XAPI wants a number with a fraction
	if err == nil && all.token == "" {
		err = &OpError{"event.from", fmt.Errorf("%w: it has no token", ErrAnswer)}
	}
	return all, err
}

func (all *changes) decode(b *body, d *json.Decoder) error {
	return object(b, d, func(key string) error {
		switch key {
		case "token":
			return d.Decode(&all.token)
		case "events":
			return array(b, d, func() error {
				var e struct {
					Class     string `json:"class"`
					Operation string `json:"operation"`
					Ref       string `json:"ref"`
					Snapshot  *record
				}
				// A field of another type would end reservations if it were left out.
				if err := d.Decode(&e); err != nil {
					return err
				}
				switch {
				case e.Class != "vm" || len(e.Ref) > MostText:
				case e.Operation == "del":
					all.events = append(all.events, event{ref: e.Ref, gone: true})
				case e.Snapshot != nil:
					all.events = append(all.events, event{ref: e.Ref, vm: e.Snapshot.vm(e.Ref)})
				}
				return nil
			})
		}
		return d.Decode(new(json.RawMessage))
	})
}
