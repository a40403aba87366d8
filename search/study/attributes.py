"""The names of the user attributes in which frontrunner keeps what it knows of a study and of its trials.

Optuna stores the attributes as JSON beside the parameters and values: `optuna.Study.user_attrs` and
`optuna.trial.FrozenTrial.user_attrs` read them. How far a trial violates each constraint is kept by Optuna itself.
"""

# Attributes of a study, written when it is made, the settings last.
SETTINGS = "settings"
"""`search.study.study.StudySettings`: what has to be the same for the study to be continued."""
FACTS = "facts"
"""`runners.runner.WorkloadFacts`: name, metric, fingerprint and input of the workload."""
BEGUN = "begun"
"""The local time at which it was made, as ``2026-11-30T12:22:16``."""
ENVIRONMENT = "environment"
"""`spaces.environment.Environment`: the machine that measures, with its backends."""

# Attributes of a study, written again by every search that continues it.
BUDGETS = "budgets"
"""How many trials, how long, which sampler, from which earlier study."""
PLACES = "places"
"""Where the stage store and the tracking are, if not in the home: `search.request.remembered_locations`."""
STATUS = "status"
"""``running``, ``finished``, ``interrupted`` or ``failed``."""
BASELINE = "baseline"
"""How the baseline is called: its ``threads``; its figures with each number of threads that was timed: ``by_threads``;
and whether it computes with TF32 and in channels_last on an accelerator: ``tuned``."""
TIMING_RESOLUTION = "timing_resolution"
"""The smallest relative difference in speed that can be measured: ``resolution``; why it is not trusted: ``unstable``;
and the number of the measurement: ``occasion``."""
SCREENED = "screened"
"""``screened:0``, ``screened:1`` and so on: configurations that were timed untrained, with figures and seconds."""
FINAL = "final"
"""Figures of the final measurement by trial number, the baseline's as ``0``."""
FINAL_ANSWERS = "final_answers"
"""``final_answers:0``, ``final_answers:7`` and so on, by trial number: the answers of the final measurement, as
`runners.quality.answers.Answers` as JSON by split; one attribute each, since MySQL's hold 64 KiB."""
RUNTIME_ALONE = "runtime_alone"
"""The fastest trial that changes the runtime and the threads alone, where it was timed beside the front and is not on
it: its number ``trial``, and the ``figures`` of that timing."""
FINAL_TRIALS = "final_trials"
"""The number of trials when the final measurement was made."""
FINAL_OCCASION = "final_occasion"
"""The number of final measurements so far."""
EXPLAINED = "explained"
"""``explained:12`` and so on, by trial number: what `search.explain.explanation.explain` last found of a trial."""
STUDY_TIMES = "study_times"
"""When the stages ran that belong to no single trial: the teacher, the calibration and the final measurement; a list of
name, beginning in seconds since 1970, and seconds."""

# Attributes of a trial, written before anything runs for it.
CONFIGURATION = "configuration"
"""All choices of the trial, as canonical JSON; parameters that were not drawn are missing in `Trial.params` alone."""

# Attributes of a trial, written just before Optuna is told its result.
SECONDS = "seconds"
"""How long each stage took, by its name; stages that came out of the store are missing."""
TIMES = "times"
"""When the stages ran that were carried out for this trial: a list of name, beginning in seconds since 1970, and
seconds. Those of a candidate that was timed untrained stand beside its figures in `SCREENED`."""
RUNGS = "rungs"
"""Accuracy on the validation split by the number of epochs trained."""
EPOCH_LOSSES = "epoch_losses"
"""Mean training loss of each epoch by the number of epochs trained with it; of the baseline that of the teacher."""
COMPETED = "competed"
"""The levels of its training in epochs: ``levels``; its losses at each rung where it competed: ``losses``."""
MEASUREMENT = "measurement"
"""Of a complete trial: `runners.measuring.measurement.Measurement` as JSON."""
ANSWERS = "answers"
"""Of a complete trial: what it answered on the validation split, as `runners.quality.answers.Answers` as JSON."""
STAGES = "stages"
"""Of a complete trial: the key of each stage by its name, under which the stage store has the result."""
SPEED = "speed"
"""Of a trial that was stopped: the figures of its screening, or nothing."""
STOPPED = "stopped"
"""Of a trial that was stopped: why."""
FAILURE = "failure"
"""Of a trial that failed: why. The baseline is left running with it, so that a search that goes on runs it again; None
while that one runs it."""
