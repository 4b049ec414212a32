"""Pure functions from mask logits and features to losses (WeSAM, arXiv 2312.03502, section 3), one a file.

Every mask loss gives one value an instance; `reduce.image_mean` alone decides how instances and images weigh.
All of them compute in float32, whatever precision the network ran in.
"""
