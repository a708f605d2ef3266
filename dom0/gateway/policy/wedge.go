// SPDX-License-Identifier: Apache-2.0

package policy

import "time"

// WedgedAfter is the default time after which a vLib OS counts as wedged.
const WedgedAfter = 10 * time.Second

// A restart is not repeated before restartPause, then twice that, up to
// restartMost, until the vLib OS has been well for calm.
const (
	restartPause = time.Minute
	restartMost  = time.Hour
	calm         = time.Hour
)

// Event is the result of a check of a vLib OS.
type Event int

// The events.
const (
	Nothing Event = iota
	Found         // it is wedged; reported once
	Restart       // it is wedged, and should be restarted
	Back          // it is no longer wedged
)

// Wedge decides about one vLib OS. It is wedged when a call to it was given up,
// or calls wait for it, and its server has not come back for longer than After.
//
//	well ──stuck──▶ stuck ──After──▶ wedged
//	  ▲──── not ──────┘                │
//	  ▲─────────────── not ────────────┘
type Wedge struct {
	After    time.Duration
	Restarts bool // when wedged

	Since time.Time // it is stuck; zero: it is not
	Known bool      // it is wedged, and that was reported
	Count int       // restarts

	wellSince time.Time
	notBefore time.Time     // of the next restart
	pause     time.Duration // before the one after that
}

// Look returns what to do at now about a vLib OS that is stuck, or not.
func (w *Wedge) Look(now time.Time, stuck bool) Event {
	if !stuck {
		was := w.Known
		w.Since, w.Known = time.Time{}, false
		if w.wellSince.IsZero() {
			w.wellSince = now
		}
		if was {
			return Back
		}
		return Nothing
	}
	if w.Since.IsZero() {
		w.Since = now
		if !w.wellSince.IsZero() && now.Sub(w.wellSince) >= calm {
			w.pause = 0
		}
		w.wellSince = time.Time{}
	}
	if now.Sub(w.Since) < w.After {
		return Nothing
	}
	if w.Restarts && !now.Before(w.notBefore) {
		w.Known = true
		w.Count++
		w.pause = min(max(2*w.pause, restartPause), restartMost)
		w.notBefore = now.Add(w.pause)
		return Restart
	}
	if w.Known {
		return Nothing
	}
	w.Known = true
	return Found
}

// Next is the earliest time of another restart.
func (w *Wedge) Next() time.Time { return w.notBefore }

// Wedging is the configuration of a domain.
type Wedging struct {
	Domain  string // name or UUID
	After   time.Duration
	Restart []string // the command; none: it is only reported
}
