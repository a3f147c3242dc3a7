package main

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/config/receiver"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/alertmanager/types"
	"github.com/prometheus/common/model"
)

// numberAnnotation holds the number of an alert's episode, from 0; it is not shown to anyone.
const numberAnnotation = "episode"

// notification is one message to one receiver.
type notification struct {
	// At is in milliseconds since 1970.
	At       int64          `json:"at"`
	Receiver string         `json:"receiver"`
	Kind     string         `json:"kind"`
	Index    int            `json:"index"`
	Group    model.LabelSet `json:"group"`
	// Firing and Resolved are line numbers of the input, from 0.
	Firing   []int `json:"firing"`
	Resolved []int `json:"resolved"`
}

// recording collects the notifications of every receiver.
type recording struct {
	lock  sync.Mutex
	found []notification
}

// receivers gives, for each receiver that a route names, integrations as Alertmanager builds them, which record instead
// of sending.
func (r *recording) receivers(configuration *config.Config) (map[string][]notify.Integration, error) {
	used := map[string]bool{}
	dispatch.NewRoute(configuration.Route, nil).Walk(func(route *dispatch.Route) { used[route.RouteOpts.Receiver] = true })
	result := map[string][]notify.Integration{}
	for _, one := range configuration.Receivers {
		if !used[one.Name] {
			continue
		}
		built, err := receiver.BuildReceiverIntegrations(one, &template.Template{}, slog.New(slog.DiscardHandler))
		if err != nil {
			return nil, err
		}
		for _, integration := range built {
			recorder := &recorder{recording: r, kind: integration.Name(), index: integration.Index()}
			result[one.Name] = append(result[one.Name],
				notify.NewIntegration(recorder, &integration, integration.Name(), integration.Index(), one.Name))
		}
	}
	return result, nil
}

// write gives one line a notification, in an order that depends on their content only.
func (r *recording) write(out io.Writer) error {
	slices.SortFunc(r.found, func(a, b notification) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Receiver, b.Receiver), cmp.Compare(a.Group.String(), b.Group.String()),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Index, b.Index), slices.Compare(a.Firing, b.Firing))
	})
	lines := json.NewEncoder(out)
	for _, one := range r.found {
		if err := lines.Encode(one); err != nil {
			return err
		}
	}
	return nil
}

// recorder is a notifier that keeps what it is asked to send.
type recorder struct {
	recording *recording
	kind      string
	index     int
}

func (r *recorder) Notify(ctx context.Context, alerts ...*types.Alert) (bool, error) {
	name, _ := notify.ReceiverName(ctx)
	group, _ := notify.GroupLabels(ctx)
	one := notification{
		At: time.Now().Round(time.Millisecond).UnixMilli(), Receiver: name, Kind: r.kind, Index: r.index, Group: group, Firing: []int{}, Resolved: []int{},
	}
	for _, alert := range alerts {
		number, err := strconv.Atoi(string(alert.Annotations[numberAnnotation]))
		if err != nil {
			return false, err
		}
		if alert.Resolved() {
			one.Resolved = append(one.Resolved, number)
		} else {
			one.Firing = append(one.Firing, number)
		}
	}
	slices.Sort(one.Firing)
	slices.Sort(one.Resolved)
	r.recording.lock.Lock()
	defer r.recording.lock.Unlock()
	r.recording.found = append(r.recording.found, one)
	return false, nil
}
