"""Jobs of many pictures: what a job file describes, done in parts that are whole or not there.

`schema` reads the file and `job` says what may stand in it. `sources` lists what a job works on, and `plan` keeps that
list and cuts it into parts. `steps` are what is done to them, `work` does a part, `sink` writes it. `run` does all
parts on this machine and `cluster` on several; `reproduce` makes one picture of a finished job again, and `report` says
what a data set is like.
"""
