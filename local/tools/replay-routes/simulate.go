package main

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/alertmanager/timeinterval"
)

// Defaults of Alertmanager's own options --data.retention, --alerts.gc-interval, --data.maintenance-interval and
// --dispatch.maintenance-interval.
const (
	retention     = 120 * time.Hour
	alertsCleanUp = 30 * time.Minute
	maintenance   = 15 * time.Minute
	groupsCleanUp = 30 * time.Second
)

// delivery is the time from an evaluation of Prometheus until Alertmanager has its alerts.
const delivery = 100 * time.Millisecond

// simulate connects the parts as Alertmanager's own main function does, and sends the alerts at their times.
func simulate(
	configuration *config.Config,
	receivers map[string][]notify.Integration,
	features featurecontrol.Flagger,
	logger *slog.Logger,
	sendings []sending,
	until time.Time,
) error {
	if len(sendings) == 0 {
		return nil
	}
	// The virtual clock starts in the year 2000. Nothing runs yet that could use the time until the first alert.
	sleepUntil(time.UnixMilli(sendings[0].at))

	registry := prometheus.NewRegistry()
	groups, unrecorded := marker.NewGroupMarker(), eventrecorder.NopRecorder()
	alerts, err := mem.NewAlerts(context.Background(), alertsCleanUp, 0, nil, logger, unrecorded, registry, features)
	if err != nil {
		return err
	}
	defer alerts.Close()
	log, err := nflog.New(nflog.Options{Retention: retention, Logger: logger, Metrics: registry})
	if err != nil {
		return err
	}
	silences, err := silence.New(silence.Options{Retention: retention, Logger: logger, Metrics: registry})
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	defer close(stop)
	go log.Maintenance(maintenance, "", stop, nil)

	inhibitor := inhibit.NewInhibitor(alerts, configuration.InhibitRules, logger, unrecorded)
	noWait := func() time.Duration { return 0 }
	pipeline := notify.NewPipelineBuilder(registry, features, unrecorded).New(
		receivers, noWait, inhibitor, silence.NewSilencer(silences, logger, unrecorded), intervals(configuration), groups, log, nil,
	)
	atLeast := func(timeout time.Duration) time.Duration { return max(timeout, notify.MinTimeout) }
	dispatcher := dispatch.NewDispatcher(alerts, dispatch.NewRoute(configuration.Route, nil), pipeline, groups, atLeast,
		groupsCleanUp, nil, logger, unrecorded, dispatch.NewDispatcherMetrics(false, registry, features), &template.Template{})
	go inhibitor.Run()
	defer inhibitor.Stop()
	inhibitor.WaitForLoading()
	go dispatcher.Run(time.Now())
	defer dispatcher.Stop()
	dispatcher.WaitForLoading()

	if err := send(alerts, sendings, until); err != nil {
		return err
	}
	sleepUntil(until)
	return nil
}

// send gives Alertmanager every alert at its time.
//
// Ties are decided here, because goroutines that are due at the same virtual instant run in any order.
// Evaluations and flushes of a group often fall on the same instant, because both happen every so many whole seconds.
// A real Alertmanager mostly gets the alerts first: evaluations keep their schedule, while each flush is a little later
// than the one before. So the alerts of each instant take a few nanoseconds less than those of the instant before. Of
// the alerts of one instant, which Prometheus sends in random order, firing ones come first, one after the other.
func send(alerts *mem.Alerts, sendings []sending, until time.Time) error {
	early := time.Duration(0)
	for len(sendings) > 0 {
		at := time.UnixMilli(sendings[0].at)
		if at.After(until) {
			return nil
		}
		size := 1
		for size < len(sendings) && sendings[size].at == sendings[0].at {
			size++
		}
		early += time.Duration(size)
		sleepUntil(at.Add(max(delivery-early, 0)))
		for _, one := range firingFirst(sendings[:size]) {
			if err := alerts.Put(context.Background(), one.alert(time.Now())); err != nil {
				return err
			}
			time.Sleep(1)
		}
		sendings = sendings[size:]
	}
	return nil
}

func firingFirst(together []sending) []sending {
	resolved := func(one sending) int {
		if one.ends <= one.at {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(together, func(a, b sending) int { return resolved(a) - resolved(b) })
	return together
}

func intervals(configuration *config.Config) *timeinterval.Intervener {
	named := map[string][]timeinterval.TimeInterval{}
	for _, one := range configuration.MuteTimeIntervals {
		named[one.Name] = one.TimeIntervals
	}
	for _, one := range configuration.TimeIntervals {
		named[one.Name] = one.TimeIntervals
	}
	return timeinterval.NewIntervener(named)
}

func sleepUntil(at time.Time) { time.Sleep(time.Until(at)) }
