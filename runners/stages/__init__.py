"""How a candidate is built: one file for each stage, and how stages are chained, named and run.

`chain` puts the stages of a configuration together, `keys` names their results, and `run` runs one of them and keeps
its result. In their order they are `teacher`, `transforming` for each change of the network, `training` for each level,
`quantising`, `lowering` and `measuring`. Where only the speed is asked for, `settling` takes the place of the training.
`comparing` times a whole front, and `calibrating` the baseline against itself.
"""
