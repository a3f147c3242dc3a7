package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/types"
	"github.com/prometheus/common/model"
)

// episode is one alert from its first to its last firing, with every time that Prometheus sends it. Times are in
// milliseconds since 1970.
type episode struct {
	Labels model.LabelSet `json:"labels"`
	Starts int64          `json:"starts"`
	Ends   int64          `json:"ends"`
	Sent   []series       `json:"sent"`
	number int
}

// series are times at which an episode is sent, with equal distances.
type series struct {
	First int64 `json:"first"`
	Count int64 `json:"count"`
	Every int64 `json:"every"`
	// Valid is how long after it was sent the alert counts as firing. 0: it is sent as resolved at the episode's end.
	Valid int64 `json:"valid"`
}

// sending is one alert that is sent once.
type sending struct {
	at      int64
	episode *episode
	ends    int64
}

// read gives every sending, the first one first. Alerts of the same instant keep the order of the input.
func read(in io.Reader) ([]sending, error) {
	var all []sending
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for number := 1; lines.Scan(); number++ {
		one := &episode{number: number - 1}
		decoder := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(one); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if err := one.check(); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		for _, run := range one.Sent {
			for index := range run.Count {
				at := run.First + index*run.Every
				ends := at + run.Valid
				if run.Valid == 0 {
					ends = one.Ends
				}
				all = append(all, sending{at: at, episode: one, ends: ends})
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b sending) int { return cmp.Compare(a.at, b.at) })
	return all, nil
}

func (one *episode) check() error {
	if len(one.Labels) == 0 {
		return errors.New("an alert without labels")
	}
	if err := one.Labels.Validate(); err != nil {
		return err
	}
	for _, run := range one.Sent {
		if run.Count < 1 || run.Valid < 0 || (run.Count > 1 && run.Every <= 0) {
			return fmt.Errorf("sent: %+v is not allowed; allowed: count from 1, every from 1, valid from 0", run)
		}
		if run.First < one.Starts || (run.Valid == 0 && run.First < one.Ends) {
			return fmt.Errorf("sent: %+v is before the episode's start or end", run)
		}
	}
	return nil
}

func (s sending) alert(now time.Time) *types.Alert {
	return &types.Alert{
		Alert: model.Alert{
			Labels:      s.episode.Labels,
			Annotations: model.LabelSet{numberAnnotation: model.LabelValue(fmt.Sprint(s.episode.number))},
			StartsAt:    time.UnixMilli(s.episode.Starts),
			EndsAt:      time.UnixMilli(s.ends),
		},
		UpdatedAt: now,
	}
}
