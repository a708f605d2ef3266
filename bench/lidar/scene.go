// SPDX-License-Identifier: Apache-2.0

package lidar

import (
	"math"
	"math/rand/v2"
)

// scene is a corridor with round obstacles that approach the vehicle and pass.
// It is the same in each run.
type scene struct {
	random    *rand.Rand
	obstacles [6]obstacle
	time      uint32
}

type obstacle struct{ x, y, radius float64 } // mm; x is ahead, y to the left

const (
	corridor  = 1600 // mm to either wall
	speed     = 60   // mm a scan
	deviation = 8    // mm: the device's error
	scanTime  = 100  // ms
)

func newScene() *scene {
	s := &scene{random: rand.New(rand.NewPCG(3, 5))}
	for i := range s.obstacles {
		s.obstacles[i] = s.fresh()
		s.obstacles[i].x *= float64(i+1) / float64(len(s.obstacles))
	}
	return s
}

func (s *scene) fresh() obstacle {
	return obstacle{x: 3500 + 500*s.random.Float64(), y: (2*s.random.Float64() - 1) * corridor, radius: 80 + 250*s.random.Float64()}
}

// next sets scan to the device's next turn.
func (s *scene) next(scan *Scan) {
	s.time += scanTime
	scan.Time = s.time & 0xffffff
	for i := range s.obstacles {
		o := &s.obstacles[i]
		if o.x -= speed; o.x < -1500 {
			*o = s.fresh()
		}
	}
	for i := range scan.Distances {
		step := firstStep + clustered*i
		angle := float64(step-frontStep) * 2 * math.Pi / circle
		d := s.see(math.Cos(angle), math.Sin(angle)) + s.random.NormFloat64()*deviation
		scan.Distances[i] = uint16(min(max(d, leastValid), MaxRange))
	}
}

// see returns the visible distance in a direction.
func (s *scene) see(x, y float64) float64 {
	d := float64(MaxRange)
	if y != 0 {
		d = min(d, corridor/math.Abs(y))
	}
	for _, o := range s.obstacles {
		along := o.x*x + o.y*y
		beside := o.x*o.x + o.y*o.y - along*along
		if half := o.radius*o.radius - beside; half > 0 && along > 0 {
			d = min(d, max(along-math.Sqrt(half), 0))
		}
	}
	return d
}
